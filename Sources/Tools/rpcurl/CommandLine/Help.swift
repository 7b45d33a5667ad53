/// What `--help` prints.
enum Help {
    static let version = "rpcurl 1.0"

    static var text: String {
        """
        rpcurl: call any gRPC server from the command line, with JSON in and out.

        usage:
          rpcurl [flags] ADDRESS list [SERVICE]             services, or a service's methods
          rpcurl [flags] ADDRESS describe [SYMBOL]          a service, method, message or enum
          rpcurl [flags] ADDRESS call SERVICE/METHOD [DATA] one call of any kind
          rpcurl [flags] ADDRESS SERVICE/METHOD [DATA]      the same
          rpcurl [flags] ADDRESS health [SERVICE]           grpc.health.v1; 0 only when SERVING
          rpcurl completion bash|zsh                        a completion script

        The verb may also come before the address.
        ADDRESS is host:port, http://host:port or unix:/path; plaintext HTTP/2. It is not
        needed for list and describe with -protoset.
        DATA is JSON, @ (standard input) or @file. Streams take several messages, one after the
        other; each is sent as soon as it is complete, and answers are printed as they come.
        The schema comes from server reflection (v1, else v1alpha) or from -protoset files.

        flags:
        \(flags)

        -json prints {method, status, headers, messages, trailers, timings}, or {error} when there
        was no answer.

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
          rpcurl -protoset all.binpb describe pkg.Message

        """
    }

    private static var flags: String {
        Flag.all.map { flag in
            let names = flag.names.map { "-\($0)" }.joined(separator: ", ")
            let left = flag.value.map { "\(names) \($0)" } ?? names
            let gap = String(repeating: " ", count: max(2, 34 - left.count))
            return "  \(left)\(gap)\(flag.help)"
        }.joined(separator: "\n")
    }
}
