#compdef ts-runc
_ts_runc() {
  local -a answers
  local line
  for line in "${(@f)$(${~${(Q)words[1]}} __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      :files) compset -P '--*='; _files; return ;;
      :directories) compset -P '--*='; _files -/; return ;;
      ?*) answers+=("${${${line%%$'\t'*}//\\/\\\\}//:/\\:}:${${line#*$'\t'}##$line}") ;;
    esac
  done
  _describe ts-runc answers
}
if [[ $funcstack[1] == _ts_runc ]]; then
  _ts_runc "$@"
else
  compdef _ts_runc ts-runc
fi
