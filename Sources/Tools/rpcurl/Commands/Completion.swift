/// Completion scripts: verbs, flags, and, by asking the server, its services and methods.
enum Completion {
    /// - Throws: `Failure` for other shells.
    static func script(for shell: String) throws(Failure) -> String {
        switch shell {
        case "bash": return bash
        // zsh runs bash's functions. As the file _rpcurl of a $fpath it is read at the first Tab,
        // which it has to answer.
        case "zsh":
            return "#compdef rpcurl\nautoload -U +X bashcompinit && bashcompinit\n" + bash
                + "\nif [[ $funcstack[1] == _rpcurl ]]; then "
                + "_bash_complete -o default -F _rpcurl; fi"
        default: throw .usage("completion knows bash and zsh, not \(shell)")
        }
    }

    private static func dashed(_ flags: [Flag]) -> [String] {
        flags.flatMap(\.names).map { "-\($0)" }
    }

    private static var verbs: [String] { Verb.all.map(\.name) + ["completion", "help"] }

    /// The flags of each verb, as cases of the shell.
    private static var flagsByVerb: String {
        Verb.all.map { verb in
            let own = Flag.all.filter { !$0.verbs.isEmpty && $0.belongs(to: verb.name) }
            return "            \(verb.name)) flags=\"\(dashed(own).joined(separator: " "))\" ;;"
        }.joined(separator: "\n")
    }

    private static func names(_ isIncluded: (Verb) -> Bool) -> String {
        Verb.all.filter(isIncluded).map(\.name).joined(separator: "|")
    }

    private static var bash: String {
        let common = dashed(Flag.all.filter(\.verbs.isEmpty)).joined(separator: " ")
        let valued = dashed(Flag.all.filter { $0.value != nil }).joined(separator: "|")
        let connecting = dashed(
            Flag.all.filter {
                $0.value != nil && $0.verbs.isEmpty && $0.names[0] != "max-time"
            }
        ).joined(separator: "|")
        return """
            # rpcurl completion; load it with: source <(rpcurl completion bash)
            _rpcurl() {
                local current="${COMP_WORDS[COMP_CWORD]}" words=() given=() address= verb= skip=
                local word flags previous="${COMP_WORDS[COMP_CWORD-1]}"
                for word in "${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do
                    if [ -n "$skip" ]; then
                        [ "$skip" = keep ] && given+=("$word")
                        skip=
                        continue
                    fi
                    case "$word" in
                        \(connecting)) given+=("$word"); skip=keep ;;
                        \(valued)) skip=1 ;;
                        -*) ;;
                        \(verbs.joined(separator: "|")))
                            if [ -z "$verb" ]; then verb="$word"; else words+=("$word"); fi ;;
                        *:*) address="$word" ;;
                        *) words+=("$word") ;;
                    esac
                done
                case "$verb" in
            \(flagsByVerb)
                esac
                case "$previous" in
                    -format) COMPREPLY=($(compgen -W "json text" -- "$current")); return ;;
                esac
                if [ -n "$skip" ]; then return; fi
                case "$current" in
                    -*) COMPREPLY=($(compgen -W "\(common) $flags" -- "$current")); return ;;
                esac
                case "$verb" in
                    "") COMPREPLY=($(compgen -W "\(verbs.joined(separator: " "))" -- "$current")) ;;
                    completion) COMPREPLY=($(compgen -W "bash zsh" -- "$current")) ;;
                    help) COMPREPLY=($(compgen -W "\(Verb.all.map(\.name).joined(separator: " "))" \\
                        -- "$current")) ;;
                    \(names { $0.takesData }))
                        [ ${#words[@]} -eq 0 ] && _rpcurl_ask -methods ;;
                    \(names { !$0.takesData && $0.wordsAfterAddress > 0 }))
                        [ ${#words[@]} -eq 0 ] && _rpcurl_ask ;;
                esac
            }
            _rpcurl_ask() {
                COMPREPLY=($(compgen -W "$(rpcurl "${given[@]}" -max-time 2 "$@" list $address \\
                    2>/dev/null)" -- "$current"))
            }
            COMP_WORDBREAKS="${COMP_WORDBREAKS//:/}"
            complete -o default -F _rpcurl rpcurl
            """
    }
}
