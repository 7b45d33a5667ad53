import Crypto
public import Environment
public import Protobuf
public import RPC

extension IdempotencyTable {
    /// One use of a key.
    public struct Use: Sendable {
        /// Method and caller: the same key means something else elsewhere, and one caller cannot
        /// learn what another was answered.
        public let scope: String
        public internal(set) var key: String
        /// SHA-256 of the request.
        public let requestHash: [UInt8]
        public let at: Instant
        /// Of the call that is told when its answer was given before.
        private let context: ServerContext?

        public init(
            scope: String, key: String, requestHash: [UInt8], at: Instant,
            in context: ServerContext? = nil
        ) {
            self.scope = scope
            self.key = key
            self.requestHash = requestHash
            self.at = at
            self.context = context
        }

        /// The use by this call.
        /// - Parameter request: without what may differ between retries, as a captcha's token.
        public init(_ key: String, for request: some Message, _ context: ServerContext, at: Instant)
        {
            self.init(
                scope: Self.scope(of: context.method.name, context.principal), key: key,
                requestHash: SHA256.hash(request.encoded()), at: at, in: context)
        }

        /// The use by this call; nil without a key.
        /// - Throws: VALIDATION_FAILED for what cannot be a key.
        public init?(
            checked key: String?, for request: some Message, _ context: ServerContext, at: Instant
        ) throws(DomainError) {
            guard let key else { return nil }
            var rules = FieldRules()
            rules.key(key)
            try rules.check()
            self.init(key, for: request, context, at: at)
        }

        /// An id of what the use makes: the same whenever the same is asked under the same key.
        public var id: UUID { .named("\(scope) \(key) \(Hex.encode(requestHash))") }

        /// The trailer of an answer, or of a refusal, that repeats an earlier one; the edge shows it
        /// as a header.
        public static let replayedTrailer = "idempotency-replayed"

        /// Of the key in its scope, whatever is asked under it.
        var lock: Int64 { AdvisoryLock.number(SHA256.hash(Array("\(scope) \(key)".utf8))) }

        /// Says in the call's trailers that the answer is that of the key's first use.
        public func markReplayed() {
            context?.trailingMetadata.set("true", for: Self.replayedTrailer)
        }

        public static func scope(of method: String, _ caller: Principal) -> String {
            PlantedBug.keyWithoutCaller.isPlanted ? method : "\(method) \(caller.actor)"
        }
    }
}
