/// A failed use of PostgreSQL.
///
/// ``description`` is safe to show to anybody: it holds the code and the name of a constraint, and
/// never SQL text or values. ``message`` and ``detail`` are the server's words, may quote values
/// (personal data), and must not leave the process.
public struct PostgresError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// The server refused a statement; see ``PostgresError/sqlState``.
        case server(SQLState)
        /// No connection could be established.
        case connectFailed
        /// A connection ended while it was in use.
        case connectionLost
        /// The deadline passed; the statement was cancelled on the server.
        case deadlineExceeded
        /// The caller's task was cancelled; the statement was cancelled on the server.
        case cancelled
        /// All connections are busy and the queue for them is full.
        case queueFull
        /// No connection became free in time.
        case acquireTimedOut
        /// The pool is closed.
        case closed
        /// COMMIT was answered by ROLLBACK: a statement had failed and the body ignored it.
        case commitRefused
        /// COMMIT is not known to have happened or not; replay the same write by its key.
        case commitUnknown
        /// A value or parameter cannot be sent: a NUL character in text, a transaction already ended.
        case invalidUse
        /// A column is absent, NULL, or does not hold what was asked for.
        case decoding
        /// The state of the schema forbids the migration.
        case migrationRefused
        /// The server is too old, or breaks the protocol.
        case unsupportedServer
    }

    public enum Blame: Sendable, Hashable { case caller, database, us }

    public var code: Code
    /// The server's or libpq's text, for logs of operators only.
    public var message: String
    /// The name of the violated constraint, when there is one.
    public var constraint: String?
    /// The table of the violated constraint, when there is one.
    public var table: String?
    /// The server's detail line. It quotes values: never log it.
    public var detail: String?
    public var blame: Blame
    /// What led to this error, in one safe sentence.
    public var cause: String?
    /// The statement or COMMIT was sent and its answer was lost: it may have taken effect. Settle it
    /// by replaying the same write with the same idempotency key (reliability promise 7).
    public var isAmbiguous: Bool
    /// A cached plan met a changed schema: the statement did not run, another attempt will.
    var isStalePlan = false

    public init(
        code: Code, message: String, constraint: String? = nil, table: String? = nil,
        detail: String? = nil, blame: Blame, cause: String? = nil, isAmbiguous: Bool = false
    ) {
        self.code = code
        self.message = message
        self.constraint = constraint
        self.table = table
        self.detail = detail
        self.blame = blame
        self.cause = cause
        self.isAmbiguous = isAmbiguous
    }

    public var sqlState: SQLState? {
        if case .server(let state) = code { state } else { nil }
    }

    /// Running the whole transaction again may work, and nothing of it has taken effect.
    public var isRetryable: Bool {
        !isAmbiguous && (isStalePlan || sqlState?.isConflict == true)
    }

    /// The database is not usable right now; the same call may work later.
    public var isUnavailable: Bool {
        switch code {
        case .server(let state): state.isUnavailable
        case .connectFailed, .connectionLost, .commitUnknown, .queueFull, .acquireTimedOut, .closed:
            true
        default: false
        }
    }

    /// Whether the server must be left: every idle connection to it is dropped.
    var condemnsServer: Bool {
        switch code {
        case .server(let state): state.condemnsServer
        case .connectionLost: true
        default: false
        }
    }

    public var description: String {
        var text = "postgres: \(summary)"
        if let constraint { text += " (\(constraint))" }
        if isAmbiguous { text += "; the outcome is unknown" }
        if let cause { text += "; cause: \(cause)" }
        return text
    }

    private var summary: String {
        switch code {
        case .server(let state): "the server answered SQLSTATE \(state)"
        case .connectFailed: "cannot connect"
        case .connectionLost: "the connection was lost"
        case .deadlineExceeded: "the deadline passed"
        case .cancelled: "cancelled"
        case .queueFull: "all connections are busy and the queue is full"
        case .acquireTimedOut: "no connection became free in time"
        case .closed: "the pool is closed"
        case .commitRefused: "the transaction was rolled back instead of committed"
        case .commitUnknown: "the answer to COMMIT was lost"
        case .invalidUse: "invalid use: \(message)"
        case .decoding: "cannot decode: \(message)"
        case .migrationRefused: "migration refused: \(message)"
        case .unsupportedServer: "unsupported server"
        }
    }
}

extension PostgresError {
    static let poolClosed = PostgresError(code: .closed, message: "the pool is closed", blame: .us)

    static let cancelled = PostgresError(
        code: .cancelled, message: "the calling task was cancelled", blame: .caller)

    static let deadlineExceeded = PostgresError(
        code: .deadlineExceeded, message: "the deadline passed", blame: .database)

    static func invalidUse(_ message: String) -> PostgresError {
        PostgresError(code: .invalidUse, message: message, blame: .us)
    }

    static func decoding(_ message: String) -> PostgresError {
        PostgresError(code: .decoding, message: message, blame: .us)
    }

    static func connectionLost(_ message: String) -> PostgresError {
        PostgresError(code: .connectionLost, message: message, blame: .database)
    }

    /// This error, of an exchange whose effect may have been committed.
    func madeAmbiguous() -> PostgresError {
        var error = self
        error.isAmbiguous = true
        if error.code == .connectionLost { error.code = .commitUnknown }
        return error
    }
}
