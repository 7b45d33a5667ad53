import Crypto
import Environment
import HTTP1
import HTTPClient
public import Loop
import Protobuf
import Synchronization

/// Midtrans and Xendit pretended on one port, for demos and tests: charges, the page where the
/// customer pays, status, refunds, and callbacks that go where and as often as they are told.
public final class FakeProvider: Sendable {
    /// The keys that merchants and provider share.
    public struct Keys: Sendable {
        public var midtransServerKey: String
        public var xenditSecretKey: String
        public var xenditCallbackToken: String

        public init(
            midtransServerKey: String, xenditSecretKey: String, xenditCallbackToken: String
        ) {
            self.midtransServerKey = midtransServerKey
            self.xenditSecretKey = xenditSecretKey
            self.xenditCallbackToken = xenditCallbackToken
        }

        /// Fresh ones.
        public static func random() -> Keys {
            let text = { Hex.encode(SystemRandom.bytes(16)) }
            return Keys(
                midtransServerKey: text(), xenditSecretKey: text(), xenditCallbackToken: text())
        }
    }

    /// How the callbacks of a status change leave.
    public enum Delivery: Sendable {
        /// As often as told, one after the other; 0 loses them.
        case copies(Int)
        /// Kept in ``FakeProvider/kept`` for a test to deliver.
        case keep
    }

    /// A callback: where it goes is known by its dialect.
    public struct Callback: Sendable {
        public let dialect: FakeCharge.Dialect
        public let body: [UInt8]
        public let token: String
    }

    struct State {
        var charges: [String: FakeCharge] = [:]
        var order: [String] = []
        var delivery = Delivery.copies(1)
        var kept: [Callback] = []
        var isDown = false
        var refundsArePossible = true
    }

    public let keys: Keys
    let state = Mutex(State())
    private let loop: EventLoop
    private let listener = Mutex<Listener?>(nil)
    private let queue: AsyncStream<Callback>
    private let enqueue: AsyncStream<Callback>.Continuation

    /// Charges that are remembered; the oldest are forgotten.
    static let limit = 10_000
    static let queueLimit = 1000

    private init(_ keys: Keys, _ loop: EventLoop) {
        self.keys = keys
        self.loop = loop
        (queue, enqueue) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingOldest(Self.queueLimit))
    }

    /// - Parameter port: of the loopback interface; 0 is any free one.
    public static func start(
        keys: Keys = .random(), port: UInt16 = 0, on loop: EventLoop
    ) async throws -> FakeProvider {
        let provider = FakeProvider(keys, loop)
        let listener = try await Listener.bind(.ipv4(host: "127.0.0.1", port: port), on: loop) {
            socket in
            FakeConversation.begin(socket, provider)
        }
        provider.listener.withLock { $0 = listener }
        return provider
    }

    /// Where it is, without a trailing slash.
    public var url: String { "http://127.0.0.1:\(listener.withLock { $0?.address.port ?? 0 })" }

    public func close() async {
        enqueue.finish()
        await listener.withLock { $0 }?.close()
    }

    // MARK: What tests decide

    public func set(_ delivery: Delivery) { state.withLock { $0.delivery = delivery } }

    /// Answers 503 to everything.
    public func setDown(_ isDown: Bool) { state.withLock { $0.isDown = isDown } }

    public func setRefunds(arePossible: Bool) {
        state.withLock { $0.refundsArePossible = arePossible }
    }

    /// The callbacks so far under ``Delivery/keep``.
    public var kept: [Callback] { state.withLock { $0.kept } }

    public func charge(_ id: String) -> FakeCharge? { state.withLock { $0.charges[id] } }

    /// Changes a charge as its customer, or time, would, and lets the callback leave.
    public func change(_ id: String, to status: FakeCharge.Status) {
        let callbacks: [Callback] = state.withLock { state in
            guard var charge = state.charges[id] else { return [] }
            charge.status = status
            charge.paidAt = status == .paid ? .now() : nil
            state.charges[id] = charge
            let callback = callback(charge)
            switch state.delivery {
            case .copies(let count): return Array(repeating: callback, count: count)
            case .keep:
                state.kept.append(callback)
                return []
            }
        }
        for callback in callbacks { enqueue.yield(callback) }
    }

    /// What would be called about a charge as it stands.
    public func callback(_ charge: FakeCharge) -> Callback {
        switch charge.dialect {
        case .midtrans:
            Callback(
                dialect: .midtrans, body: charge.midtrans(sign: sign).encoded(), token: "")
        case .xendit:
            Callback(
                dialect: .xendit, body: charge.xendit(page: page(charge.id)).encoded(),
                token: keys.xenditCallbackToken)
        }
    }

    func sign(_ text: String) -> String {
        Hex.encode(SHA512.hash(Array((text + keys.midtransServerKey).utf8)))
    }

    func page(_ id: String) -> String { "\(url)/pay/\(id)" }

    // MARK: Callbacks

    /// Delivers callbacks until its task is cancelled: five tries each, with pauses that double.
    ///
    /// - Parameter base: `http://host:port/api/payments/callbacks`.
    public func run(callbacksTo base: String) async throws {
        let client = HTTPClient(loop: loop)
        for await callback in queue {
            try await deliver(callback, "\(base)/\(callback.dialect.rawValue)", client)
        }
        await client.close()
        try Task.checkCancellation()
    }

    private func deliver(
        _ callback: Callback, _ url: String, _ client: HTTPClient
    ) async throws {
        for attempt in 0..<5 {
            var request = HTTPClientRequest(.post, url, body: callback.body)
            request.headers.add(literal: "content-type", "application/json")
            if !callback.token.isEmpty {
                try request.headers.add("x-callback-token", callback.token)
            }
            do {
                if try await client.send(request).status.rawValue < 500 { return }
            } catch is HTTPClientError {}
            try await loop.sleep(for: .milliseconds(200 << attempt))
        }
    }
}
