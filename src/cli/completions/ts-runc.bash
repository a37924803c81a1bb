# completion of ts-runc for bash
#
# bash splits words at the characters of COMP_WORDBREAKS, of which "=" and ":" stand in words of ours, and replaces only
# what follows the last of them. So the words are put together again, and what bash keeps is taken off the answers.
_ts_runc() {
  local words=() word line raw kept glue=
  local -i i
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((${#words[@]})) && [[ -n $glue || $word == [=:]* ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
    glue=
    [[ $word == *[=:] ]] && glue=1
  done
  raw=${COMP_WORDS[COMP_CWORD]}
  [[ $raw == [=:] ]] && raw=
  kept=${words[-1]%"$raw"}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$raw") ;;
      :directories) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$raw") ;;
      *) line=${line%%$'\t'*}; COMPREPLY+=("${line#"$kept"}") ;;
    esac
  done < <("${COMP_WORDS[0]/#\~/$HOME}" __complete "${words[@]}" 2>/dev/null)
}
complete -F _ts_runc ts-runc
