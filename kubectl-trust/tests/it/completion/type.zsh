# Types lines into an interactive zsh on a terminal of its own: pairs of what is typed before a tab, and the word that
# must then stand at the end. Control-A goes to the beginning: what was completed becomes the arguments of printf.
zmodload zsh/zpty
zpty -b shell "zsh -f -i"
typeset -g shown=
wait_for() {
  local chunk end=$((SECONDS + 30))
  until [[ $shown == *"$1"* ]]; do
    while zpty -rt shell chunk; do shown+=$chunk; done
    (( SECONDS < end )) || { print -r -- "no $1 in: ${(V)shown}"; zpty -d shell; exit 1 }
    sleep 0.02
  done
}
zpty -w shell "PS1='> '; autoload -Uz compinit; compinit -u -D; source <(kubectl-trust completion zsh); print REA''DY"
wait_for READY
for typed expected in "$@"; do
  shown=
  zpty -w shell "$typed"$'\t\C-a'"printf '<%s>' "
  wait_for "<$expected>"
done
zpty -d shell
