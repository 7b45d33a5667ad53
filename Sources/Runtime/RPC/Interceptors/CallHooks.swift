import Environment
public import Protobuf

/// How a call ended, as its interceptors see it.
public struct CallOutcome: Sendable {
    /// Nil is OK.
    public let error: RPCError?
    /// What came, or went, with the status.
    public let trailers: Metadata
    public var sent = CallTraffic()
    public var received = CallTraffic()

    public init(error: RPCError?, trailers: Metadata = Metadata()) {
        self.error = error
        self.trailers = trailers
    }

    public var code: RPCError.Code { error?.code ?? .ok }
}

/// The messages of one direction of a call, as its interceptors counted them: of those received the
/// ones that the handler, or the caller, took.
public struct CallTraffic: Sendable, Hashable {
    public var messages = 0
    /// Before compression.
    public var bytes = 0
    /// As on the wire, without gRPC's five bytes for each.
    public var compressedBytes = 0

    mutating func add(_ count: Int) {
        messages += 1
        bytes += count
        compressedBytes += count
    }
}

/// What the interceptors of one call want to see of it. A call that nobody watches has none: the
/// whole feature costs it one comparison with nil per message.
///
/// Filled before the call runs, used on the call's loop only.
@usableFromInline
package final class CallHooks: @unchecked Sendable {
    package typealias Encoded = (inout [UInt8]) throws -> Void
    package typealias Decoded = (any Message) throws -> Void

    private var requests: [Encoded] = []
    private var responses: [Encoded] = []
    private var decodedRequests: [Decoded] = []
    private var decodedResponses: [Decoded] = []
    private var headers: [(Metadata) -> Void] = []
    private var ends: [(CallOutcome) -> Void] = []
    private var attempts: [(CallAttempt) -> Void] = []
    /// When the attempt began that ends with the call.
    private var onlyAttempt: Deadline?

    private var sent = CallTraffic()
    private var received = CallTraffic()

    package init() {}

    /// A message was sent or received, of that many bytes before compression.
    package func count(sent bytes: Int) { sent.add(bytes) }
    package func count(received bytes: Int, compressed: Int) {
        received.add(bytes)
        received.compressedBytes += compressed - bytes
    }

    /// A message that was counted left smaller by so many bytes.
    package func saved(sent bytes: Int) { sent.compressedBytes -= bytes }

    // The outermost interceptor comes first: requests pass outside in, answers inside out.

    package func add(request: @escaping Encoded) { requests.append(request) }
    package func add(response: @escaping Encoded) { responses.insert(response, at: 0) }
    package func add(decodedRequest: @escaping Decoded) { decodedRequests.append(decodedRequest) }
    package func add(decodedResponse: @escaping Decoded) {
        decodedResponses.insert(decodedResponse, at: 0)
    }
    package func add(headers: @escaping (Metadata) -> Void) { self.headers.insert(headers, at: 0) }
    package func add(end: @escaping (CallOutcome) -> Void) { ends.insert(end, at: 0) }

    package func add(attempt: @escaping (CallAttempt) -> Void) { attempts.insert(attempt, at: 0) }

    package var watchesAttempts: Bool { !attempts.isEmpty }

    package func attempt(_ event: CallAttempt) {
        for hook in attempts { hook(event) }
    }

    /// Of a transport that never repeats a call.
    package func beginOnlyAttempt() {
        guard watchesAttempts else { return }
        onlyAttempt = .now()
        attempt(.began)
    }

    private func endOnlyAttempt(_ error: RPCError?) {
        guard let began = onlyAttempt else { return }
        onlyAttempt = nil
        attempt(
            .ended(
                AttemptOutcome(
                    error: error, duration: began.duration(to: .now()),
                    sentBytes: sent.compressedBytes, receivedBytes: received.compressedBytes)))
    }

    package func request(_ message: [UInt8]) throws -> [UInt8] {
        var message = message
        for hook in requests { try hook(&message) }
        return message
    }

    package func response(_ message: [UInt8]) throws -> [UInt8] {
        var message = message
        for hook in responses { try hook(&message) }
        return message
    }

    @usableFromInline
    package func decoded(request: any Message) throws {
        for hook in decodedRequests { try hook(request) }
    }

    @usableFromInline
    package func decoded(response: any Message) throws {
        for hook in decodedResponses { try hook(response) }
    }

    package func received(headers metadata: Metadata) {
        for hook in headers { hook(metadata) }
    }

    /// Tells everybody once.
    package func ended(_ outcome: CallOutcome) {
        endOnlyAttempt(outcome.error)
        let hooks = ends
        ends = []
        if hooks.isEmpty { return }
        var outcome = outcome
        outcome.sent = sent
        outcome.received = received
        for hook in hooks { hook(outcome) }
    }
}
