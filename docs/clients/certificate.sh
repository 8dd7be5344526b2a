#!/usr/bin/env bash
# Downloads a completion certificate unless the local copy is current. Waits until the certificate is available.
#
#     CRAFTKIT_API_KEY=ck_live_… bash certificate.sh URL certificate.pdf
#
# certificate.pdf.etag keeps the copy's entity tag and digest. Needs bash 4.4 or newer, curl 7.84 or newer, and openssl.
#
# Values from the server are matched by a pattern before any arithmetic: (( )) and [[ -lt ]] would run x[$(command)].
set -euo pipefail
export LC_ALL=C
url=$1 file=$2 tag_file=$2.etag

part_bytes=4500000 response_bytes=5000000 certificate_bytes=100000000 error_bytes=65536
parts=100
response_seconds=60
pauses=(1 2 4 8) longest_pause=60               # seconds between five tries
default_wait=30 longest_wait=300 all_waits=3600 # seconds until the certificate is available

key_pattern='^ck_(live|test)_[A-Za-z0-9_-]{16,128}$'
strong_tag='^"[!#-~]{1,200}"$'
tag_file_pattern='^("[!#-~]{1,200}") (sha-256=:[A-Za-z0-9+/]{43}=:)$'
content_range='^bytes ([0-9]{1,9})-([0-9]{1,9})/([0-9]{1,9})$'
whole_seconds='^[0-9]{1,9}$'
http_date='^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$'
envelope='^\{"error": ?\{"code": ?"([a-z_]+)", ?"message": ?"([^"\]*)"\}\}'

written='%{http_code}\n%{errormsg}\n%header{retry-after}\n%header{repr-digest}\n%header{content-range}\n%header{etag}\n'

fail() {
  local text=${1//[^ -~]/?} # a terminal obeys control characters
  printf '%s\n' "${text:0:300}" >&2
  exit 1
}

fail_with_error() {
  local text
  [[ $status != 000 ]] || fail "No complete response: $message"
  text=$(head -c "$error_bytes" "$body" | tr -d '\0')
  [[ $text =~ $envelope ]] || fail "HTTP $status"
  fail "HTTP $status ${BASH_REMATCH[1]}: ${BASH_REMATCH[2]}"
}

# Prints the file's digest in the form of Repr-Digest.
digest() { printf 'sha-256=:%s:' "$(openssl dgst -sha256 -binary <"$1" | openssl base64)"; }

# Prints the copy's entity tag if the copy has not changed since it was saved.
read_tag() {
  [[ -f $file && -f $tag_file ]] || return 0
  [[ $(head -c 300 "$tag_file" | tr -d '\0') =~ $tag_file_pattern ]] || return 0
  [[ ${BASH_REMATCH[2]} != "$(digest "$file")" ]] || printf '%s' "${BASH_REMATCH[1]}"
}

# Prints $1, limited to the range from $2 to $3.
clamp() { echo $(($1 < $2 ? $2 : $1 > $3 ? $3 : $1)); }

# Prints the seconds of Retry-After, also if it is a date (RFC 9110, section 10.2.3), or nothing if it is invalid.
read_retry_after() {
  local time
  if [[ $retry_after =~ $whole_seconds ]]; then
    echo $((10#$retry_after))
  elif [[ $retry_after =~ $http_date ]]; then
    # GNU, or BSD and macOS
    time=$(date -u -d "$retry_after" +%s 2>/dev/null) ||
      time=$(date -ju -f '%a, %d %b %Y %T GMT' "$retry_after" +%s 2>/dev/null) || return 0
    echo $((time - $(date +%s)))
  fi
}

# Writes the body to $body. `-q` must come first to disable ~/.curlrc. The key comes from a file because every user of
# the machine can see a program's arguments. No %{header_json}: curl takes minutes to write many headers.
get() {
  local response lines code=0
  response=$(
    {
      curl -q -s -g --proto =http,https --max-time "$response_seconds" --url "$url" \
        -H @<(printf 'Authorization: Bearer %s\n' "$CRAFTKIT_API_KEY") \
        -H 'Accept: application/pdf' -H 'Accept-Encoding: identity' "$@" \
        -w "%{stderr}$written" \
        2>&3 | { head -c "$response_bytes" >"$body" || exit 99; }
    } 3>&1
  ) || code=$?
  [[ $code != 99 ]] || fail "The response could not be written."
  mapfile -t lines <<<"$response"
  status=${lines[0]} message=${lines[1]-} retry_after=${lines[2]-}
  retry_after=${retry_after%$'\r'} # some versions of curl write an empty value as CR
  repr_digest=${lines[3]-} range=${lines[4]-} etag=${lines[5]-}
  [[ $etag =~ $strong_tag ]] || etag=
  [[ $code == 0 || $code == 23 ]] || status=000 # 23: `head` has read enough
}

# Tries up to five times.
ask() {
  local pause seconds
  for pause in "${pauses[@]}"; do
    get "$@"
    [[ $status =~ ^(000|429|500|502|503|504)$ ]] || return 0
    seconds=$(read_retry_after)
    sleep "$(clamp "${seconds:-0}" "$pause" "$longest_pause")"
  done
  get "$@"
}

# Without Retry-After, 409 is final: there will be no certificate.
wait_for_certificate() {
  local waited=0 seconds
  while ask "$@" && [[ $status == 409 && $retry_after ]]; do
    seconds=$(read_retry_after)
    seconds=$(clamp "${seconds:-$default_wait}" 1 "$longest_wait")
    ((waited += seconds, waited <= all_waits)) || fail "The certificate is not available yet. Ask again later."
    sleep "$seconds"
  done
}

download_parts() {
  local round first last end whole had=0 size='' tag='' condition=()
  for ((round = 0; round < parts; round++)); do
    end=$((had + part_bytes - 1))
    ask -r "$had-$end" "${condition[@]}"
    [[ $status == 206 ]] || fail_with_error
    [[ $range =~ $content_range ]] || fail "The parts do not belong together."
    first=$((10#${BASH_REMATCH[1]})) last=$((10#${BASH_REMATCH[2]})) whole=$((10#${BASH_REMATCH[3]}))
    tag=${tag:-$etag} size=${size:-$whole}
    ((had == first && first <= last && last <= end && last < whole && whole <= certificate_bytes)) &&
      (($(wc -c <"$body") == last + 1 - first)) && [[ $tag && "$etag $whole" == "$tag $size" ]] ||
      fail "The parts do not belong together."
    cat <"$body" >>"$part"
    had=$((last + 1))
    ((had < size)) || return 0
    condition=(-H "If-Range: $tag")
  done
  fail "The certificate arrived in too many parts."
}

[[ ${CRAFTKIT_API_KEY-} =~ $key_pattern ]] || fail "CRAFTKIT_API_KEY is not an API key."
[[ ! -d $file ]] || fail "$file is a folder."
body='' part=''
trap 'rm -f -- "$body" "$part"' EXIT
body=$(mktemp -- "$file.part.XXXXXX")
part=$(mktemp -- "$file.part.XXXXXX")

tag=$(read_tag)
condition=(${tag:+-H "If-None-Match: $tag"})
wait_for_certificate "${condition[@]}"
case $status in
  200)
    [[ $repr_digest == "$(digest "$body")" ]] ||
      fail "The certificate arrived damaged: its SHA-256 is not that of Repr-Digest."
    cat <"$body" >"$part"
    ;;
  304)
    [[ $tag ]] || fail_with_error
    echo "$file is current"
    exit
    ;;
  413) download_parts ;;
  *) fail_with_error ;;
esac

# In the order old tag, copy, new tag, a tag never accompanies a copy that it does not belong to.
sync -- "$part"
rm -f -- "$tag_file"
if [[ $etag ]]; then
  printf '%s %s\n' "$etag" "$(digest "$part")" >"$body"
  sync -- "$body"
fi
mv -f -- "$part" "$file"
[[ ! $etag ]] || mv -f -- "$body" "$tag_file"
echo "$file downloaded"
