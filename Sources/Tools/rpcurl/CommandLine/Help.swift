/// What `--help` prints.
enum Help {
    static let version = "rpcurl 1.0"

    static var text: String {
        """
        rpcurl: call any gRPC server from the command line, with JSON in and out.

        usage: rpcurl [flags] …
        \(synopses)
          completion bash|zsh                           a completion script

        rpcurl VERB --help tells more and lists the verb's own flags.
        The verb may also come before the address.
        ADDRESS is host:port, http://host:port or unix:/path for plaintext HTTP/2, and
        https://host:port, or one of the TLS flags, for TLS. It is not needed for
        list and describe with -protoset or -proto, nor with a -profile that has one.
        DATA is JSON, @ (standard input) or @file.
        The schema comes from server reflection (v1, else v1alpha) or from files.
        Flags are those of grpcurl and more; it takes TLS for granted where this takes plaintext.
        Not here: -alts (it needs a service of Google's clouds) and xds:/// addresses.

        flags:
        \(lines(Flag.all.filter(\.verbs.isEmpty)))

        profiles: ~/.config/rpcurl/config, or -config FILE, has lines of the form
          # for every command
          connect-timeout = 5
          [staging]
          address = staging.example:443
          H = authorization: Bearer ${STAGING_TOKEN}
          compact
        A flag stands there without dashes; a switch alone, or as true or false. ${NAME} is an
        environment variable. -profile staging, or RPCURL_PROFILE, chooses; flags of the command
        line win over the profile, and this over the lines above the first [name].

        exit code: 0; 1 failure, with a sentence that says what to do; 2 wrong command line;
        64 + code when the server answered with a gRPC status (NOT_FOUND: 69). Ctrl-C cancels the
        call: 65.

        examples:
          rpcurl localhost:50051 list
          rpcurl localhost:50051 describe janji.booking.v1.Bookings
          rpcurl -template localhost:50051 describe janji.booking.v1.ConfirmRequest
          rpcurl localhost:50051 call janji.booking.v1.Bookings/Confirm '{"bookingId": "…"}'
          rpcurl -H 'authorization: Bearer …' -max-time 5 localhost:50051 pkg.Service/Method -d @r.json
          printf '{"n":1} {"n":2}' | rpcurl localhost:50051 call bench.Bench/PingPong @
          rpcurl -json -compact localhost:50051 call pkg.Service/Method | jq .status
          rpcurl -import-path proto -proto a/b.proto describe pkg.Message
          rpcurl localhost:50051 watch pkg.Service/Follow -resume after=position
          rpcurl tap :9000 localhost:50051
          rpcurl localhost:50051 doctor
          rpcurl localhost:50051 top
          rpcurl localhost:50051 bench pkg.Service/Method -rate 500 -duration 30

        """
    }

    static func text(of verb: Verb) -> String {
        let own = Flag.all.filter { !$0.verbs.isEmpty && $0.belongs(to: verb.name) }
        let flags = own.isEmpty ? "" : "flags of \(verb.name):\n\(lines(own))\n\n"
        return """
            rpcurl [flags] \(verb.synopsis)
            \(verb.summary)

            \(verb.details)

            \(flags)rpcurl --help lists the flags of every verb.

            """
    }

    private static var synopses: String {
        Verb.all.map { row($0.synopsis, $0.summary, 46) }.joined(separator: "\n")
    }

    private static func lines(_ flags: [Flag]) -> String {
        flags.map { flag in
            let names = flag.names.map { "-\($0)" }.joined(separator: ", ")
            return row(flag.value.map { "\(names) \($0)" } ?? names, flag.help, 34)
        }.joined(separator: "\n")
    }

    private static func row(_ left: String, _ right: String, _ width: Int) -> String {
        let gap = String(repeating: " ", count: max(2, width - left.count))
        return "  \(left)\(gap)\(right)"
    }
}
