# completion of ts-runc for fish
function __ts_runc_answers
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l kept (string match -r -- '^--[^=]*=' "$current")
  for line in ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    switch $line
      case :files
        __fish_complete_path (string replace -- "$kept" '' "$current") | string replace -r '^' -- "$kept"
      case :directories
        __fish_complete_directories (string replace -- "$kept" '' "$current") '' | string replace -r '^' -- "$kept"
      case '*'
        echo $line
    end
  end
end
complete -c ts-runc -f -a '(__ts_runc_answers)'
