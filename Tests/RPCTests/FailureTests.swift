import Loop
import RPC
import Synchronization
import TestKit
import Testing

@Suite("RPC failures: status, deadlines, cancellation", .timeLimit(.minutes(5)))
struct FailureTests {
    private struct Secret: Error {}

    private struct Conflict: RPCErrorConvertible {
        var rpcError: RPCError { RPCError(.aborted, "seat taken") }
    }

    @Test("status, details and trailers of a handler's error reach the client; the cause does not")
    func details() async {
        let bed = Bed { _ in
            var error = RPCError(
                .failedPrecondition, "closed", details: [.init(typeURL: "t/x", value: [1, 2])],
                cause: "secret")
            error.metadata.add("7", for: "x-code")
            throw error
        }
        let error = await failure { _ = try await bed.unary() }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message == "closed")
        #expect(error?.details == [.init(typeURL: "t/x", value: [1, 2])])
        #expect(error?.metadata.first("x-code") == "7")
        #expect(error?.cause == nil)
    }

    @Test("an error that is no RPCError is UNKNOWN without its text; a convertible one is itself")
    func otherErrors() async {
        let secret = await failure { _ = try await Bed { _ in throw Secret() }.unary() }
        #expect(secret?.code == .unknown)
        #expect(secret?.description.contains("Secret") == false)
        let conflict = await failure { _ = try await Bed { _ in throw Conflict() }.unary() }
        #expect(conflict?.code == .aborted)
        #expect(conflict?.message == "seat taken")
        let cancelled = await failure {
            _ = try await Bed { _ in throw CancellationError() }.unary()
        }
        #expect(cancelled?.code == .cancelled)
    }

    @Test("a deadline that has passed fails the call before the handler runs")
    func passedDeadline() async {
        let bed = Bed { _ in Issue.record("the handler ran") }
        let error = await failure {
            _ = try await bed.unary(options: .timeout(.zero))
        }
        #expect(error?.code == .deadlineExceeded)
    }

    @Test("a deadline ends the call and cancels the handler, who sees the time left")
    func deadline() async throws {
        try await growingDeadline { timeout in
            let hasBegun = Mutex(false)
            let ended = Signal<Bool>()
            let bed = Bed { call in
                let remaining = call.context.remaining ?? .seconds(99)
                #expect(remaining <= timeout)
                // Zero when the machine stalls between the start and this.
                hasBegun.withLock { $0 = remaining > .zero }
                try? await call.loop.sleep(for: .seconds(60))
                await ended.set(call.context.isCancelled && Task.isCancelled)
            }
            let error = await failure { _ = try await bed.unary(options: .timeout(timeout)) }
            #expect(error?.code == .deadlineExceeded)
            guard hasBegun.withLock({ $0 }) else { return false }
            let isCancelled = try await ended.wait()
            #expect(isCancelled)
            return true
        }
    }

    @Test("a call made inside a handler has the handler's deadline and ends with it")
    func deadlineFlows() async {
        let inner = Bed { call in
            #expect((call.context.remaining ?? .seconds(99)) <= .milliseconds(200))
            try await call.loop.sleep(for: .seconds(30))
        }
        let outer = Bed { call in
            try call.sendOnly(try await inner.unary())
        }
        let error = await failure {
            _ = try await outer.unary(options: .timeout(.milliseconds(200)))
        }
        #expect(error?.code == .deadlineExceeded)
    }

    @Test("opting out of the handler's deadline")
    func deadlineOptOut() async throws {
        let inner = Bed { call in
            #expect(call.context.deadline == nil)
            try call.sendOnly([1])
        }
        let outer = Bed { call in
            try call.sendOnly(
                try await inner.unary(options: CallOptions(inheritsDeadline: false)))
        }
        #expect(try await outer.unary(options: .timeout(.seconds(60))) == [1])
    }

    @Test("cancelling the client's task cancels the handler, through a chain of services")
    func cancelFlows() async throws {
        let started = Signal<Bool>()
        let ended = Signal<Bool>()
        let inner = Bed { call in
            await started.set(true)
            do {
                try await call.loop.sleep(for: .seconds(30))
            } catch {
                await ended.set(call.context.isCancelled)
            }
        }
        let outer = Bed { call in try call.sendOnly(try await inner.unary()) }
        let task = Task { await failure { _ = try await outer.unary() } }
        _ = try await started.wait()
        task.cancel()
        #expect(await task.value?.code == .cancelled)
        #expect(try await ended.wait())
    }

    @Test("ClientCall.cancel wakes a handler that waits for messages, and one that waits to send")
    func cancelWakes() async throws {
        for method in [Methods.client, Methods.server] {
            let ended = Signal<RPCError.Code>()
            let bed = Bed(method) { call in
                do {
                    if method.kind == .clientStreaming {
                        _ = try await call.receive()
                        Issue.record("a message that nobody sent")
                    } else {
                        while true { try await call.send([UInt8](repeating: 0, count: 9000)) }
                    }
                } catch let error as RPCError {
                    await ended.set(error.code)
                }
            }
            let call = try await bed.call(method)
            if method.kind == .serverStreaming {
                try await call.send([1])
                call.finish()
                _ = try await call.receive()
            }
            call.cancel()
            #expect(try await ended.wait() == .cancelled)
            #expect(await failure { while try await call.receive() != nil {} }?.code == .cancelled)
        }
    }

    @Test("a task that outlives its handler gets an error, not a crash")
    func outlivedHandler() async throws {
        let leaked = Signal<ServerCall>()
        let bed = Bed { call in
            try call.sendOnly([1])
            await leaked.set(call)
        }
        #expect(try await bed.unary() == [1])
        let call = try await leaked.wait()
        #expect(await failure { try await call.send([2]) }?.code == .cancelled)
        #expect(await failure { _ = try await call.receive() }?.code == .cancelled)
    }

    @Test("a handler may send and receive from another thread")
    func otherThread() async throws {
        let bed = Bed(Methods.bidi) { call in
            try await Task.detached {
                while let message = try await call.receive() { try await call.send(message) }
            }.value
        }
        let call = try await bed.call(Methods.bidi)
        for byte in UInt8(0)..<20 {
            try await call.send([byte])
            #expect(try await call.receive() == [byte])
        }
        call.finish()
        #expect(try await call.receive() == nil)
    }
}
