import Loop
import Protobuf
import RPC
import Synchronization
import TestKit
import Testing

/// The four kinds over one message type, as generated code would use them.
@Suite("RPC calls that are owned, and calls within a scope", .timeLimit(.minutes(5)))
struct OwnedCallTests {
    private typealias Word = HealthV1.HealthCheckRequest

    private func word(_ text: String) -> Word {
        var word = Word()
        word.service = text
        return word
    }

    @Test("a unary call with its headers and trailers")
    func unary() async throws {
        let bed = Bed { call in
            call.context.responseMetadata = Metadata(["x-head": "a"])
            call.context.trailingMetadata = Metadata(["x-tail": "z"])
            try call.sendOnly(try await call.receiveOnly())
        }
        let call: UnaryCall<Word> = try await UnaryCall(bed.channel, Methods.unary, word("hi"))
        #expect(try await call.headers.first("x-head") == "a")
        #expect(try await call.response.service == "hi")
        #expect(await call.trailers.first("x-tail") == "z")
    }

    @Test("a bidirectional call outlives the function that made it, and is written to later")
    func kept() async throws {
        let bed = Bed(Methods.bidi) { call in
            while let message = try await call.receive() { try await call.send(message) }
        }
        struct Session {
            let call: BidirectionalCall<Word, Word>
        }
        func open() async throws -> Session {
            Session(call: BidirectionalCall(try await bed.call(Methods.bidi)))
        }
        let session = try await open()
        let reader = Task {
            var words: [String] = []
            for try await word in session.call.responses { words.append(word.service) }
            return words
        }
        for text in ["a", "b", "c"] { try await session.call.send(word(text)) }
        session.call.finish()
        #expect(try await reader.value == ["a", "b", "c"])
    }

    @Test("dropping the last copy of an owned call cancels it, and so does cancel()")
    func dropped() async throws {
        let drops: [@Sendable (BidirectionalCall<Word, Word>) -> Void] = [
            { _ in }, { $0.cancel() },
        ]
        for drop in drops {
            let ended = Signal<RPCError.Code>()
            let bed = Bed(Methods.bidi) { call in
                do {
                    _ = try await call.receive()
                } catch {
                    await ended.set(RPCError(wrapping: error).code)
                }
            }
            drop(BidirectionalCall<Word, Word>(try await bed.call(Methods.bidi)))
            #expect(try await ended.wait() == .cancelled)
        }
    }

    @Test("leaving a scope, with a value or an error, cancels what still runs")
    func scope() async throws {
        struct Stop: Error {}
        for throwing in [false, true] {
            let ended = Signal<Bool>()
            let bed = Bed(Methods.bidi) { call in
                call.context.onCancel { Task { await ended.set(true) } }
                while let message = try await call.receive() { try await call.send(message) }
            }
            let call = BidirectionalCall<Word, Word>(try await bed.call(Methods.bidi))
            let text = try? await call.scope { call in
                if throwing { throw Stop() }
                try await call.send(word("x"))
                var answers = call.responses.makeAsyncIterator()
                return try await answers.next()?.service
            }
            #expect(text == (throwing ? nil : "x"))
            #expect(try await ended.wait())
        }
    }

    @Test("cancelling reaches the handler and its child call in the turn in which it is asked")
    func oneTurn() async throws {
        let started = Signal<Bool>()
        let loop = EventLoop(name: "chain")
        let inner = Router()
        let child = InProcessChannel(router: inner, loop: loop)
        let outer = Router()
        let order = Order()
        inner.handle(Methods.client) { call in
            call.context.onCancel { order.add("inner") }
            await started.set(true)
            _ = try await call.receive()
        }
        outer.handle(Methods.client) { call in
            call.context.onCancel { order.add("outer") }
            let below = try await child.start(
                Methods.client, metadata: Metadata(), options: CallOptions())
            _ = try await below.receive()
        }
        let channel = InProcessChannel(router: outer, loop: loop)
        let call = try await channel.start(
            Methods.client, metadata: Metadata(), options: CallOptions())
        #expect(try await started.wait())
        let seen = try await loop.submit {
            call.cancel()
            return order.all
        }
        // The outer handler's task is cancelled at once, and that cancels its child call.
        #expect(seen.first == "outer")
        try await loop.submit {}
        #expect(order.all == ["outer", "inner"])
    }

    /// Loop-confined list.
    private final class Order: @unchecked Sendable {
        private(set) var all: [String] = []
        func add(_ name: String) { all.append(name) }
    }

    @Test("onCancel: late registration runs at once, an ordinary end never calls it")
    func onCancel() async throws {
        let late = Signal<Bool>()
        let bed = Bed { call in
            call.context.onCancel { Issue.record("the call was not cancelled") }
            try call.sendOnly([1])
        }
        #expect(try await bed.unary() == [1])
        try await growingDeadline { timeout in
            let hasBegun = Mutex(false)
            let slow = Bed { call in
                hasBegun.withLock { $0 = true }
                try? await call.loop.sleep(for: .seconds(30))
                call.context.onCancel { Task { await late.set(true) } }
            }
            _ = await failure { _ = try await slow.unary(options: .timeout(timeout)) }
            guard hasBegun.withLock({ $0 }) else { return false }
            let isCalled = try await late.wait()
            #expect(isCalled)
            return true
        }
    }

    @Test("back-pressure in process: a flood of empty messages waits as well, in both directions")
    func emptyFlood() async throws {
        let sent = Signal<Int>()
        let bed = Bed(Methods.bidi) { call in
            var count = 0
            while try call.trySend([]) { count += 1 }
            await sent.set(count)
            _ = try await call.receive()
        }
        let call = try await bed.call(Methods.bidi)
        #expect(try await sent.wait() <= 1024)
        let flood = Task {
            var count = 0
            while count < 5000 {
                try await call.send([])
                count += 1
            }
            return count
        }
        // One was taken, so that many more fit; the sender waits with the rest.
        for _ in 0..<64 { try await bed.loop.submit {} }
        call.cancel()
        let error = await failure { _ = try await flood.value }
        #expect(error?.code == .cancelled)
    }
}
