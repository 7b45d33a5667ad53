import Loop
import RPC
import TestKit
import Testing

@Suite("RPC over the in-process channel", .timeLimit(.minutes(5)))
struct InProcessTests {
    @Test("unary: one message in, one out, on the loop, with the context as task-local")
    func unary() async throws {
        let bed = Bed { call in
            #expect(call.loop.isInLoop)
            #expect(ServerContext.current === call.context)
            let message = try await call.receiveOnly()
            try call.sendOnly(message.reversed())
        }
        #expect(try await bed.unary([1, 2, 3]) == [3, 2, 1])
        #expect(try await bed.unary([]) == [])
    }

    @Test("client streaming: many in, one out")
    func clientStreaming() async throws {
        let bed = Bed(Methods.client) { call in
            var sum: UInt8 = 0
            while let message = try await call.receive() { sum += message[0] }
            try call.sendOnly([sum])
        }
        let call = try await bed.call(Methods.client)
        for byte in UInt8(1)...10 { try await call.send([byte]) }
        call.finish()
        #expect(try await call.receiveOnly() == [55])
    }

    @Test("server streaming: one in, many out, then nil")
    func serverStreaming() async throws {
        let bed = Bed(Methods.server) { call in
            let count = try await call.receiveOnly()[0]
            for byte in 0..<count { try await call.send([byte]) }
        }
        let call = try await bed.call(Methods.server)
        try await call.send([20])
        call.finish()
        var received: [UInt8] = []
        while let message = try await call.receive() { received += message }
        #expect(received == Array(0..<20))
        #expect(try await call.receive() == nil)
    }

    @Test("bidirectional: lock-step")
    func bidirectional() async throws {
        let bed = Bed(Methods.bidi) { call in
            while let message = try await call.receive() { try await call.send(message) }
        }
        let call = try await bed.call(Methods.bidi)
        for byte in UInt8(0)..<50 {
            try await call.send([byte])
            #expect(try await call.receive() == [byte])
        }
        call.finish()
        #expect(try await call.receive() == nil)
    }

    @Test("an unknown method is UNIMPLEMENTED")
    func unknownMethod() async {
        let bed = Bed { _ in }
        let error = await failure {
            _ = try await bed.channel.unary(Methods.bidi, [1])
        }
        #expect(error?.code == .unimplemented)
        #expect(error?.message.contains("/test.T/Bidi") == true)
    }

    @Test("cardinality: no or two requests for one are UNIMPLEMENTED, no answer is INTERNAL")
    func cardinality() async throws {
        let bed = Bed { call in _ = try await call.receiveOnly() }
        let none = try await bed.call(Methods.unary)
        none.finish()
        #expect(await failure { _ = try await none.receive() }?.code == .unimplemented)
        let two = try await bed.call(Methods.unary)
        try await two.send([1])
        try? await two.send([2])
        two.finish()
        #expect(await failure { _ = try await two.receive() }?.code == .unimplemented)
        #expect(await failure { _ = try await bed.unary() }?.code == .internalError)
        let several = Bed { call in
            try call.sendOnly([1])
            try call.sendOnly([2])
        }
        let error = await failure { _ = try await several.unary() }
        #expect(error?.code == .internalError)
        #expect(error?.message.contains("several responses") == true)
    }

    @Test("limits: a request or a response over the size is RESOURCE_EXHAUSTED")
    func sizes() async throws {
        let bed = Bed(maxMessageBytes: 100) { call in
            let message = try await call.receiveOnly()
            try call.sendOnly([UInt8](repeating: 0, count: Int(message[0])))
        }
        #expect(try await bed.unary([100]).count == 100)
        #expect(await failure { _ = try await bed.unary([101]) }?.code == .resourceExhausted)
        let large = [UInt8](repeating: 1, count: 101)
        #expect(await failure { _ = try await bed.unary(large) }?.code == .resourceExhausted)
        let options = CallOptions(maxResponseBytes: 10)
        #expect(
            await failure { _ = try await bed.unary([11], options: options) }?.code
                == .resourceExhausted)
    }

    @Test("metadata goes both ways, in headers and trailers")
    func metadata() async throws {
        let bed = Bed(Methods.server) { call in
            _ = try await call.receiveOnly()
            #expect(call.context.metadata.first("X-Tenant") == "school")
            #expect(call.context.metadata.firstBinary("x-raw-bin") == [0, 255])
            call.context.responseMetadata = Metadata(["x-head": "1"])
            call.context.trailingMetadata = Metadata(["x-tail": "2"])
            try await call.send([7])
        }
        var metadata = Metadata(["x-tenant": "school"])
        metadata.add(binary: [0, 255], for: "x-raw-bin")
        let call = try await bed.call(Methods.server, metadata: metadata)
        try await call.send([1])
        call.finish()
        #expect(try await call.initialMetadata().first("x-head") == "1")
        #expect(try await call.receive() == [7])
        #expect(try await call.receive() == nil)
        #expect(await call.trailers.first("x-tail") == "2")
    }

    @Test("back-pressure: a sender waits for a reader that does not read")
    func backPressure() async throws {
        let produced = Signal<Int>()
        let bed = Bed(Methods.server) { call in
            _ = try await call.receiveOnly()
            let chunk = [UInt8](repeating: 0, count: 16 << 10)
            var count = 0
            while try call.trySend(chunk) { count += 1 }
            await produced.set(count)
            for _ in 0..<20 { try await call.send(chunk) }
        }
        let call = try await bed.call(Methods.server)
        try await call.send([1])
        call.finish()
        let count = try await produced.wait()
        #expect(count == 4)
        var received = 0
        while try await call.receive() != nil { received += 1 }
        #expect(received == count + 20)
    }
}
