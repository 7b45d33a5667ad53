/// How a transaction runs.
public struct TransactionOptions: Sendable {
    public enum Isolation: Sendable { case readCommitted, repeatableRead, serializable }

    public var isolation: Isolation
    public var isReadOnly: Bool
    /// How often the whole body may run when it meets other transactions (40001, 40P01).
    public var maxAttempts: Int

    public init(
        isolation: Isolation = .readCommitted, isReadOnly: Bool = false, maxAttempts: Int = 5
    ) {
        self.isolation = isolation
        self.isReadOnly = isReadOnly
        self.maxAttempts = maxAttempts
    }

    public static let serializable = TransactionOptions(isolation: .serializable)
    public static let readOnly = TransactionOptions(isolation: .repeatableRead, isReadOnly: true)

    var begin: SQL {
        switch (isolation, isReadOnly) {
        case (.readCommitted, false): "begin isolation level read committed read write"
        case (.readCommitted, true): "begin isolation level read committed read only"
        case (.repeatableRead, false): "begin isolation level repeatable read read write"
        case (.repeatableRead, true): "begin isolation level repeatable read read only"
        case (.serializable, false): "begin isolation level serializable read write"
        case (.serializable, true): "begin isolation level serializable read only"
        }
    }
}
