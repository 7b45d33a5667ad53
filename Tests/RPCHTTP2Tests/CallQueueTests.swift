import Loop
import RPC
import Testing

@testable import RPCHTTP2

@Suite("Calls that wait", .timeLimit(.minutes(5)))
struct CallQueueTests {
    private final class Call: WaitingCall {
        var isPending = false
        let number: Int

        init(_ number: Int) { self.number = number }
    }

    private struct Weak { weak var call: Call? }

    @Test("the first come is the first out; who ended is not counted, nor kept")
    func queue() {
        var queue = CallQueue<Call>()
        var calls = (0..<100).map { Call($0) }
        let weak = calls.map { Weak(call: $0) }
        for call in calls { queue.append(call) }
        for number in 0..<100 where number % 4 != 3 { queue.remove(calls[number]) }
        #expect(queue.count == 25)
        queue.remove(calls[0])
        #expect(queue.count == 25)
        calls = []
        #expect(weak.count { $0.call != nil } <= 50)
        let first = queue.popFirst()
        #expect(first?.number == 3)
        // Refused, and waits again.
        if let first { queue.append(first) }
        var order: [Int] = []
        while let call = queue.popFirst() { order.append(call.number) }
        #expect(order == (1..<25).map { 4 * $0 + 3 } + [3])
        #expect(queue.isEmpty)
        #expect(queue.popFirst() == nil)
    }

    /// Ends calls one by one while three more wait than there may be in all.
    private func waitAndEnd(_ channel: HTTP2Channel, _ options: CallOptions) async throws {
        for _ in 0..<20 {
            let calls = (0..<4).map { _ in
                Task { try await channel.unary(Methods.unary, [1], options: options) }
            }
            for call in calls { call.cancel() }
            for call in calls {
                let error = await failure { _ = try await call.value }
                #expect(error?.code == .cancelled)
            }
        }
    }

    @Test("calls that gave up do not count as waiting: without a server, without a policy")
    func limit() async throws {
        var configuration = ChannelConfiguration()
        configuration.maxPendingCalls = 4
        let patient = CallOptions(waitForReady: true)
        let loop = EventLoop(name: "client")
        let silent = HTTP2Channel(
            resolver: SilentResolver(mayConfigure: false), authority: "x", loop: loop,
            configuration: configuration)
        let undecided = HTTP2Channel(
            resolver: SilentResolver(mayConfigure: true), authority: "x", loop: loop,
            configuration: configuration)
        for channel in [silent, undecided] {
            try await waitAndEnd(channel, patient)
            let waiting = (0..<4).map { _ in
                Task { try await channel.unary(Methods.unary, [1], options: patient) }
            }
            try await until { try await loop.submit { channel.core.waitingCalls } == 4 }
            let error = await failure {
                _ = try await channel.unary(Methods.unary, [1], options: patient)
            }
            #expect(error?.code == .resourceExhausted)
            #expect(error?.message == "4 calls wait for the server already")
            channel.close()
            for call in waiting { _ = await call.result }
        }
    }
}

/// Never says an address.
private final class SilentResolver: NameResolver {
    let mayConfigure: Bool

    init(mayConfigure: Bool) { self.mayConfigure = mayConfigure }

    func start(on loop: EventLoop, _ report: @escaping @Sendable (NameResolution) -> Void) {}
    func refresh() {}
    func stop() {}
}
