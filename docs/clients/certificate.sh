#!/usr/bin/env bash
# Downloads a completion certificate, unless the copy at hand is current, and waits until there is one.
#
#     CRAFTKIT_API_KEY=ck_live_… bash certificate.sh URL certificate.pdf
#
# certificate.pdf.etag keeps the copy's entity tag. Needs curl 7.84 or newer, and openssl.
set -euo pipefail
url=$1 file=$2 part=$2.part
trap 'rm -f "$part" "$part.etag"' EXIT

# The body goes to $part. After 429, 500, 502 and 503 curl tries again by itself, five times in all: after 1, 2, 4 and 8
# seconds, or after Retry-After. The key comes from a file, since all users of a machine see what programs are called with.
get() {
  {
    read -r status
    read -r retry_after
    read -r digest
    read -r range
  } < <(
    curl -sS --retry 4 -H @<(printf 'Authorization: Bearer %s' "$CRAFTKIT_API_KEY") -o "$part" "$@" "$url" \
      -w '%{http_code}\n%header{retry-after}\n%header{repr-digest}\n%header{content-range}\n'
  )
}

[[ -e $file ]] || rm -f "$file.etag"
while
  get --etag-compare "$file.etag" --etag-save "$part.etag"
  [[ $status == 409 && -n $retry_after ]] # not available yet
do
  sleep "$retry_after"
done

if [[ $status == 413 ]]; then
  get -f -r 0-4499999 --etag-save "$part.etag"
  # -C - goes on behind the last byte that came, and If-Range keeps parts of two certificates apart.
  while [[ $status == 206 && $(wc -c <"$part") -lt ${range#*/} ]]; do
    get -f -C - -H "If-Range: $(<"$part.etag")"
  done
  [[ $status == 206 ]] || exit 1
fi

case $status in
  200)
    if [[ $digest != "sha-256=:$(openssl dgst -sha256 -binary "$part" | base64):" ]]; then
      echo "The certificate came damaged: its SHA-256 is not that of Repr-Digest." >&2
      exit 1
    fi
    ;;
  206) ;;
  304)
    echo "$file is current"
    exit
    ;;
  *)
    echo "$status $(cat "$part")" >&2
    exit 1
    ;;
esac
mv "$part" "$file"
mv "$part.etag" "$file.etag"
echo "$file downloaded"
