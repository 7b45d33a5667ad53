import Crypto
public import Environment
public import Postgres

// Keys of many mutations that share one transaction: locked first, read under its locks, written
// with its COMMIT. Where keys are not locked first, a twin that has taken one of them meanwhile
// fails the transaction; its orders are then done again one by one, where the twin's answer is
// found.
extension IdempotencyTable {
    /// What keys have been answered with.
    public struct Answers: Sendable {
        private struct Key: Hashable {
            let scope: String
            let key: String
        }

        private struct Stored {
            let requestHash: [UInt8]
            let response: [UInt8]
        }

        private var stored: [Key: Stored] = [:]

        /// None yet.
        public init() {}

        public init(_ rows: PostgresRows) throws {
            for row in rows {
                stored[Key(scope: try row[0], key: try row[1])] = Stored(
                    requestHash: try row[2], response: try row[3])
            }
        }

        /// What the key was asked, and answered with; nil when it is new.
        public func stored(for use: Use) -> (requestHash: [UInt8], response: [UInt8])? {
            stored[Key(scope: use.scope, key: use.key)].map { ($0.requestHash, $0.response) }
        }

        /// - Returns: nil when the key is new.
        /// - Throws: IDEMPOTENCY_KEY_REUSED.
        public func answer(to use: Use) throws(DomainError) -> [UInt8]? {
            guard let found = stored[Key(scope: use.scope, key: use.key)] else { return nil }
            guard found.requestHash == use.requestHash || PlantedBug.keyWithoutHash.isPlanted
            else { throw reused }
            use.markReplayed()
            return found.response
        }

        public func contains(_ use: Use) -> Bool {
            stored[Key(scope: use.scope, key: use.key)] != nil
        }

        /// Of this transaction itself.
        public mutating func keep(_ response: [UInt8], for use: Use) {
            stored[Key(scope: use.scope, key: use.key)] = Stored(
                requestHash: use.requestHash, response: response)
        }
    }

    /// The rows of ``Answers``; no lock, no wait.
    public static func answers(_ uses: [Use]) -> SQL {
        """
        select k.scope, k.key, k.request_hash, k.response from idempotency_key k
        where (k.scope, k.key) in (
            select * from unnest(\(uses.map(\.scope))::text[], \(uses.map(\.key))::text[]))
        """
    }

    /// Keeps new keys with their answers; a key that was taken at the same time fails the
    /// transaction.
    public static func keep(_ answers: [(use: Use, response: [UInt8])], at: Instant) -> SQL {
        """
        insert into idempotency_key (scope, key, request_hash, response, created_at)
        select scope, key, decode(hash, 'hex'), decode(response, 'hex'), \(at)
        from unnest(\(answers.map(\.use.scope)), \(answers.map(\.use.key)),
            \(answers.map { Hex.encode($0.use.requestHash) }),
            \(answers.map { Hex.encode($0.response) })) n(scope, key, hash, response)
        order by scope, key
        """
    }
}
