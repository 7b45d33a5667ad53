import BenchSchema
import Environment
import Loop
import Protobuf
import RPC
import RPCHTTP2
import Synchronization
import TestKit
import Testing

@testable import rpcurl

@Suite(.timeLimit(.minutes(5))) struct TapTests {
    @Test("every kind of call passes, with metadata, trailers and status, and is printed")
    func passes() async throws {
        try await Fixture.with { server in
            let tap = server.start("tap", ":0", "ADDRESS", "-v")
            let address = await tap.tapAddress()
            var result = try await Fixture.run([
                "-json", "-H", "x-in: a", "-H", "authorization: secret", address, "call",
                "bench.Bench/Echo", #"{"data":"AQ=="}"#,
            ])
            var object = try JSONValue.parse(Array(result.output.utf8))
            #expect(object["headers"]?["x-seen"] == ["a"])
            #expect(object["trailers"]?["x-trail-bin"] == ["AP8"])
            #expect(object["messages"] == [["data": "AQ=="]])
            result = try await Fixture.run([
                "-json", address, "call", "bench.Bench/Echo", #"{"n":9}"#,
            ])
            object = try JSONValue.parse(Array(result.output.utf8))
            #expect(result.code == 73)
            #expect(object["status"]?["message"] == "as asked")
            #expect(object["status"]?["details"]?.array?.count == 3)
            #expect(object["trailers"]?["x-trail-bin"] == ["AP8"])
            result = try await Fixture.run(
                ["-compact", address, "call", "bench.Bench/PingPong", "@"],
                input: #"{"n":7} {"n":8}"#)
            #expect(result.output == "{\"n\":7}\n{\"n\":8}\n")
            result = try await Fixture.run([address, "call", "bench.Bench/Stream", #"{"n":2000}"#])
            #expect(result.output.contains("\"n\": 2000"))
            tap.interrupt()
            let said = await tap.result()
            #expect(said.code == 0)
            for part in [
                " > /bench.Bench/Echo from 127.0.0.1:", " >   x-in: a\n",
                " >   authorization: ***\n", #" > {"data":"AQ=="}"#, " <   x-seen: a\n",
                #" < {"data":"AQ=="}"#, " = OK after ", " =   x-trail-bin: AP8\n",
                " = FAILED_PRECONDITION: as asked after ", #" < {"n":8}"#, #" < {"n":2000}"#,
                "1 up, 2000 down",
            ] {
                #expect(said.output.contains(part), "\(part) in \(said.output.suffix(2000))")
            }
            #expect(!said.output.contains("secret"))
        }
    }

    @Test("methods that nobody describes are shown as bytes, unknown ones pass too")
    func unknown() async throws {
        let loop = EventLoop(name: "client")
        try await Fixture.with(.none) { server in
            let tap = server.start("tap", ":0", "ADDRESS")
            let channel = try HTTP2Channel(target: await tap.tapAddress(), loop: loop)
            var message = Bench.Msg()
            message.n = 0
            message.data = [1, 2]
            let echo = MethodDescriptor(service: "bench.Bench", name: "Echo", kind: .unary)
            #expect(try await channel.unary(echo, message.encoded()) == message.encoded())
            let none = MethodDescriptor(service: "no.Such", name: "Thing", kind: .unary)
            await #expect {
                _ = try await channel.unary(none, [])
            } throws: {
                ($0 as? RPCError)?.code == .unimplemented
            }
            channel.close()
            tap.interrupt()
            let said = await tap.result()
            #expect(said.output.contains("> 4 bytes: 0a 02 01 02\n"), "\(said.output)")
            #expect(said.output.contains("= UNIMPLEMENTED: no method /no.Such/Thing"))
        }
        await loop.stop()
    }

    @Test("a cancelled call is cancelled upstream; a deadline passes through") func cancels()
        async throws
    {
        let loop = EventLoop(name: "client")
        try await Fixture.with { server in
            let tap = server.start("tap", ":0", "ADDRESS")
            let channel = try HTTP2Channel(target: await tap.tapAddress(), loop: loop)
            let ping = MethodDescriptor(
                service: "bench.Bench", name: "PingPong", kind: .bidirectional)
            let call = try await channel.start(ping, metadata: Metadata(), options: CallOptions())
            try await call.send([])
            #expect(try await call.receive() == [])
            call.cancel()
            await tap.wait(for: "(by the client)")
            try await growingDeadline { timeout in
                let before = server.chats.value
                let late = try await channel.start(
                    ping, metadata: Metadata(), options: .timeout(timeout))
                try? await late.send([])
                await #expect {
                    while try await late.receive() != nil {}
                } throws: {
                    ($0 as? RPCError)?.code == .deadlineExceeded
                }
                return server.chats.value > before
            }
            await tap.wait(for: "#2 = ")
            channel.close()
            tap.interrupt()
            let said = await tap.result()
            #expect(said.output.contains("#2 > /bench.Bench/PingPong"))
            #expect(said.output.contains(" ms left"), "\(said.output)")
            // The handler hears of it after the client did.
            #expect(try await eventually { server.cancelled.value >= 2 })
        }
        await loop.stop()
    }

    @Test("a client that does not read holds up the server") func backPressure() async throws {
        let written = BenchMethods.Counted()
        let stream: BenchMethods.Stream = { _, responses in
            var message = Bench.Msg()
            message.data = [UInt8](repeating: 1, count: 64 << 10)
            while true {
                try await responses.write(message)
                written.count.add(1, ordering: .relaxed)
            }
        }
        let loop = EventLoop(name: "client")
        try await Fixture.with(stream: stream) { server in
            let tap = server.start("tap", ":0", "ADDRESS")
            let channel = try HTTP2Channel(target: await tap.tapAddress(), loop: loop)
            let method = MethodDescriptor(
                service: "bench.Bench", name: "Stream", kind: .serverStreaming)
            let call = try await channel.start(
                method, metadata: Metadata(), options: CallOptions())
            try await call.send([])
            call.finish()
            #expect(try await call.receive() != nil)
            // Without back-pressure this never comes to rest, and the time limit ends the test.
            var last = -1
            while case let now = written.count.load(ordering: .relaxed), now != last {
                last = now
                try await loop.sleep(for: .milliseconds(150))
            }
            #expect(last < 500)
            call.cancel()
            channel.close()
            tap.interrupt()
            #expect(await tap.result().code == 0)
        }
        await loop.stop()
    }

    @Test("a port that is taken") func taken() async throws {
        try await Fixture.with { server in
            let result = try await server.run("tap", "ADDRESS", "ADDRESS")
            #expect(result.code == 1 && result.notes.contains("cannot listen on"))
        }
    }
}
