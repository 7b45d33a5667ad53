import BenchSchema
import Protobuf
import RPC
import Synchronization
import Testing

@testable import rpcurl

@Suite(.timeLimit(.minutes(5))) struct WatchTests {
    /// Two messages from the position that is asked for, then the line breaks; at 4 the end.
    private static let breaking: BenchMethods.Stream = { request, responses in
        guard request.n < 4 else { throw RPCError(.failedPrecondition, "at the end") }
        var message = Bench.Msg()
        for step: Int32 in 1...2 {
            message.n = request.n + step
            try await responses.write(message)
        }
        throw RPCError(.unavailable, "going away")
    }

    @Test("reconnects and goes on where it was, until a lasting status") func resumes() async throws
    {
        try await Fixture.with(stream: Self.breaking) { server in
            let result = try await server.run(
                "-compact", "ADDRESS", "watch", "bench.Bench/Stream", "-resume", "n=n", "-backoff",
                "0.01")
            #expect(result.output == "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n")
            #expect(result.notes.split(separator: "\n").count == 3, "\(result.notes)")
            #expect(result.notes.contains("UNAVAILABLE: going away; reconnecting in"))
            #expect(result.notes.hasSuffix("rpcurl: FAILED_PRECONDITION (9): at the end\n"))
            #expect(result.code == 73)
        }
    }

    @Test("gives up after so many reconnects without a message") func retries() async throws {
        let calls = BenchMethods.Counted()
        let stream: BenchMethods.Stream = { _, _ in
            calls.count.add(1, ordering: .relaxed)
            throw RPCError(.unavailable, "no")
        }
        try await Fixture.with(stream: stream) { server in
            let result = try await server.run(
                "ADDRESS", "watch", "bench.Bench/Stream", "-retries", "2", "-backoff", "0.01")
            #expect(result.code == 78)
            #expect(result.notes.contains("gave up after 2 reconnects"))
            #expect(calls.count.load(ordering: .relaxed) == 3)
        }
    }

    @Test("Ctrl-C ends with the stream's status; -until-end with the stream") func ends()
        async throws
    {
        try await Fixture.with { server in
            let endless = server.start(
                "-compact", "ADDRESS", "watch", "bench.Bench/Stream", "{\"n\":-1}")
            await endless.wait(for: "{\"n\":3}")
            endless.interrupt()
            #expect(await endless.result().code == 65)
            var result = try await server.run(
                "-compact", "ADDRESS", "watch", "bench.Bench/Stream", "{\"n\":2}", "-until-end")
            #expect(result.output == "{\"n\":1}\n{\"n\":2}\n" && result.code == 0)
            result = try await server.run("ADDRESS", "watch", "bench.Bench/Echo")
            #expect(result.code == 2 && result.notes.contains("is no server stream"))
        }
    }

    static let rules: [(rule: String, sentence: String?)] = [
        ("n=n", nil), ("data=data", nil),
        ("n=data", "a bytes cannot become a int32"),
        ("m=n", "bench.Msg has no field m; did you mean n?"),
        ("n=n.x", "n.x: bench.Msg.n is no message"),
    ]

    @Test("resume rules are checked before the first call", arguments: rules)
    func rule(row: (rule: String, sentence: String?)) throws {
        let pool = DescriptorPool(BenchFiles.all)
        let method = try #require(pool.service("bench.Bench")?.method(named: "Stream"))
        let rule = try ResumeRule(row.rule)
        guard let sentence = row.sentence else {
            #expect(throws: Never.self) { try rule.bind(method) }
            return
        }
        let failure = #expect(throws: Failure.self) { try rule.bind(method) }
        #expect(failure?.sentence.contains(sentence) == true, "\(failure?.sentence ?? "")")
    }

    @Test("nested fields, other integer types and numbers that do not fit") func copies() throws {
        let pool = DescriptorPool(BenchFiles.all)
        let booking = try #require(pool.message("bench.Booking"))
        let message = try #require(pool.message("bench.Msg"))
        let rule = ResumeRule.Bound(
            target: try FieldPath("n").fields(of: message),
            source: try FieldPath("start_unix").fields(of: booking))
        var from = DynamicMessage(booking)
        var to = DynamicMessage(message)
        #expect(rule.copy(from: from, into: &to) && to["n"] == nil)
        from["start_unix"] = .int64(5)
        #expect(rule.copy(from: from, into: &to) && to["n"] == .int32(5))
        from["start_unix"] = .int64(1 << 40)
        #expect(!rule.copy(from: from, into: &to) && to["n"] == .int32(5))
    }

    @Test("the pause grows by 1.6 up to the limit, with jitter") func backoff() {
        let settings = WatchSettings()
        #expect(WatchCommand.pause(after: 0, settings, random: 0) == .seconds(1))
        #expect(WatchCommand.pause(after: 2, settings, random: 0) == .milliseconds(2560))
        #expect(WatchCommand.pause(after: 1_000_000, settings, random: -0.2) == .seconds(24))
    }
}
