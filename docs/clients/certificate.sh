#!/usr/bin/env bash
# Downloads one completion certificate of at most 4.5 MB, checks its digest, and tries again when the API says so.
# A larger certificate needs certificate.py, or the loop over ranges in README.md.
#
#     CRAFTKIT_API_KEY=ck_live_… bash certificate.sh URL certificate.pdf
#
# Needs bash 4.4, curl 7.84 and openssl, or newer.
set -euo pipefail
export LC_ALL=C
url=$1 file=$2 tries=0 waited=0

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

[[ ${CRAFTKIT_API_KEY-} =~ ^ck_(live|test)_[A-Za-z0-9_-]{16,128}$ ]] || fail "CRAFTKIT_API_KEY is not an API key."
[[ ! -d $file ]] || fail "$file is a folder."
options=(-q -sS -g --max-time 60 --max-filesize 5000000) # -q must come first to disable ~/.curlrc
if [[ $url =~ ^http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/|$) ]]; then
  options+=(--proto =http --noproxy '*')
else # the key goes to no other machine without TLS
  options+=(--proto =https)
  [[ $url == https://* ]] || fail "The URL must begin with https://."
fi
part=$(mktemp -- "$file.part.XXXXXX")
trap 'rm -f -- "$part"' EXIT

while :; do
  # The key comes from a file because every user of the machine can see a program's arguments.
  response=$(
    curl "${options[@]}" --url "$url" -o "$part" -w '%{http_code}\n%header{retry-after}\n%header{repr-digest}\n' \
      -H @<(printf 'Authorization: Bearer %s\n' "$CRAFTKIT_API_KEY") -H 'Accept: application/pdf'
  ) || response=000
  mapfile -t lines <<<"$response"
  status=${lines[0]} retry_after=${lines[1]-} digest=${lines[2]-}
  retry_after=${retry_after%$'\r'} # some versions of curl write an empty value as CR
  message="HTTP $status $(head -c 300 -- "$part" | tr -dc ' -~')" # a terminal obeys control characters
  case $status in
    200)
      [[ $digest == "sha-256=:$(openssl dgst -sha256 -binary <"$part" | openssl base64):" ]] ||
        fail "The certificate arrived damaged: its SHA-256 is not that of Repr-Digest."
      mv -f -- "$part" "$file"
      echo "$file downloaded"
      exit
      ;;
    409) [[ $retry_after ]] || fail "$message" ;; # without Retry-After, there will be no certificate
    000 | 429 | 500 | 502 | 503 | 504) ((++tries < 5)) || fail "$message" ;;
    *) fail "$message" ;;
  esac
  # The pattern comes first: (( )) would run x[$(command)].
  [[ $retry_after =~ ^[1-9][0-9]{0,3}$ ]] || retry_after=$((status == 409 ? 30 : 2 ** tries / 2))
  ((waited += retry_after, waited <= 3600)) || fail "Still no certificate after an hour. $message"
  sleep "$retry_after"
done
