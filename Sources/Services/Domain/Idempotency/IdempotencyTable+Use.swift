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

        public init(scope: String, key: String, requestHash: [UInt8], at: Instant) {
            self.scope = scope
            self.key = key
            self.requestHash = requestHash
            self.at = at
        }

        /// The use by this call.
        /// - Parameter request: without what may differ between retries, as a captcha's token.
        public init(_ key: String, for request: some Message, _ context: ServerContext, at: Instant)
        {
            self.init(
                scope: Self.scope(of: context.method.name, context.principal), key: key,
                requestHash: SHA256.hash(request.encoded()), at: at)
        }

        public static func scope(of method: String, _ caller: Principal) -> String {
            PlantedBug.keyWithoutCaller.isPlanted ? method : "\(method) \(caller.actor)"
        }
    }
}
