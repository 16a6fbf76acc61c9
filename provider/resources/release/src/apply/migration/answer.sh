_ffe_mark=$1
shift
_ffe_out=$("$@") || {
  _ffe_code=$?
  printf '%s\n' "$_ffe_out"
  exit "$_ffe_code"
}
printf '%s\n' "$_ffe_out" | {
  _ffe_count=0
  while IFS= read -r _ffe_line; do
    case $_ffe_line in
    *[![:space:]]*)
      printf '\n%s line %s\n' "$_ffe_mark" "$_ffe_line"
      _ffe_count=$((_ffe_count + 1))
      ;;
    esac
  done
  printf '\n%s end %s\n' "$_ffe_mark" "$_ffe_count"
}
