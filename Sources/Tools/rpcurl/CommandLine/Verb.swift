/// A verb of the command line: the parser, the help text and the completions read this table.
struct Verb: Sendable {
    let name: String
    /// After `rpcurl [flags]`.
    let synopsis: String
    /// One line of the overview.
    let summary: String
    /// Words that come before the address when the verb comes first.
    var wordsBeforeAddress = 0
    /// How many words may follow the address (and those before it).
    var wordsAfterAddress = 0
    /// The last of those words is DATA: the request as JSON, @ or @file.
    var takesData = false
    /// What `rpcurl VERB --help` tells besides the flags.
    let details: String

    static func named(_ name: String) -> Verb? { all.first { $0.name == name } }

    static let all: [Verb] = schema + calls + inspection

    private static let schema = [
        Verb(
            name: "list", synopsis: "ADDRESS list [SERVICE]",
            summary: "services, or a service's methods", wordsAfterAddress: 1,
            details: "Prints full names, one a line; with -methods those of all methods."),
        Verb(
            name: "describe", synopsis: "ADDRESS describe [SYMBOL]",
            summary: "a service, method, message or enum as .proto source", wordsAfterAddress: 1,
            details: """
                Without SYMBOL every service. With -template a JSON request to fill in. With
                -protoset-out FILE the schema is kept for later.
                """),
    ]

    private static let calls = [
        Verb(
            name: "call", synopsis: "ADDRESS [call] SERVICE/METHOD [DATA]",
            summary: "one call of any kind", wordsAfterAddress: 2, takesData: true,
            details: """
                Streams take several messages, one after the other; each is sent as soon as it is
                complete, and answers are printed as they come. -json prints one object:
                {method, status, headers, messages, trailers, timings}.
                """),
        Verb(
            name: "watch", synopsis: "ADDRESS watch SERVICE/METHOD [DATA]",
            summary: "follow a server stream, reconnecting when it is lost",
            wordsAfterAddress: 2, takesData: true,
            details: """
                Messages go to standard output, reconnects to standard error. A stream that is
                lost (UNAVAILABLE, INTERNAL, UNKNOWN, ABORTED, RESOURCE_EXHAUSTED, the server's
                DEADLINE_EXCEEDED or CANCELLED) or that the server ends is begun again, with
                back-off; any other status ends the command. -resume REQUEST_FIELD=RESPONSE_FIELD
                copies a field of the last message into the next request, so that nothing is
                missed: -resume after=event.position. Ctrl-C ends with the stream's status.
                """),
        Verb(
            name: "bench", synopsis: "ADDRESS bench SERVICE/METHOD [DATA]",
            summary: "load, with corrected latencies",
            wordsAfterAddress: 2, takesData: true,
            details: """
                Open loop: calls begin at -rate per second whether or not earlier ones have ended,
                and latency counts from the moment a call should have begun, so that a server that
                stalls is seen to stall (no coordinated omission). Closed loop: -concurrency calls
                are kept running. A call that would exceed -max-outstanding is not made but counted
                as dropped. DATA may hold {{n}} (1, 2, …), {{random:A:B}}, {{uuid}} and {{time}};
                several messages are used in turn (a client stream sends all of them).
                Exit code 1 when a counted call failed or was dropped.
                """),
        Verb(
            name: "health", synopsis: "ADDRESS health [SERVICE]",
            summary: "grpc.health.v1; 0 only when SERVING", wordsAfterAddress: 1,
            details: "Needs no schema."),
    ]

    private static let inspection = [
        Verb(
            name: "tap", synopsis: "tap LISTEN UPSTREAM",
            summary: "a proxy that prints calls decoded as they pass", wordsBeforeAddress: 1,
            details: """
                LISTEN is a port, host:port or unix:/path (:0 takes a free port). Point the client
                there; every call goes on to UPSTREAM with its metadata, deadline, streaming,
                cancellation and back-pressure. Messages are decoded by the upstream's reflection,
                or by -protoset or -proto; those of unknown methods are shown as bytes.
                #1 > is what the client sent, #1 < what the server answered, #1 = how it ended.
                -json prints the lines that -record writes.
                """),
        Verb(
            name: "record", synopsis: "record FILE LISTEN UPSTREAM",
            summary: "tap that writes the calls to a file", wordsBeforeAddress: 2,
            details: """
                FILE gets one JSON object a line, each as soon as it happens:
                  {"recording":1}
                  {"call":1,"ms":0,"event":"begin","method":"/pkg.S/M","metadata":{…},
                   "timeout_ms":500}
                  {"call":1,"ms":0.1,"event":"request","message":"<base64>","json":{…}}
                  {"call":1,"ms":0.1,"event":"half_close"}
                  {"call":1,"ms":2.5,"event":"headers","metadata":{…}}
                  {"call":1,"ms":2.5,"event":"response","message":"<base64>","json":{…}}
                  {"call":1,"ms":2.6,"event":"end","status":{"code":0,"name":"OK",…},
                   "trailers":{…}}
                ms counts from the call's begin. json is for readers, and there when the schema is
                known; replay needs message only. Values of headers that carry credentials are
                replaced by "***" unless -keep-secrets is given. call and watch take -record FILE.
                """),
        Verb(
            name: "replay", synopsis: "replay FILE ADDRESS",
            summary: "repeat recorded calls and compare the answers", wordsBeforeAddress: 1,
            details: """
                Repeats each recorded call, one after the other, and compares status and messages
                field by field (-metadata: headers and trailers too). -ignore PATH leaves a field
                out: id, lines[*].sku, labels.*, **.timestamp. Exit code 1 when answers differ.
                -H replaces headers of the recording, for example credentials.
                """),
        Verb(
            name: "top", synopsis: "ADDRESS top",
            summary: "servers, connections and channels of a process, live",
            details: """
                Asks grpc.channelz.v1 every -interval seconds, until Ctrl-C or -duration: servers,
                the busiest connections first (calls in flight, then calls per second), channels
                with their addresses, states and last events. At most 1000 connections are asked
                each time. OF is the server or the address that a connection belongs to. -once
                looks once; -json prints an object for each look, with -compact one a line.
                Needs no schema.
                """),
        Verb(
            name: "doctor", synopsis: "ADDRESS doctor [SERVICE/METHOD]",
            summary: "check a server: trailers, deadlines, limits, …", wordsAfterAddress: 1,
            details: """
                A verdict a line: ok, warn (works, but clients will notice), FAIL (breaks the
                gRPC specification) or skip. Exit code 1 when a check failed. -json prints them
                as a list. It makes harmless calls only: reflection, health, unknown methods. Of a
                server with neither reflection nor health give a unary method that an empty request
                does not harm; it is called a few hundred times, mostly cancelled.
                """),
    ]
}
