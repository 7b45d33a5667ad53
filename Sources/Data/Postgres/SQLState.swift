/// A five-character SQLSTATE code (PostgreSQL 15 manual, appendix A).
public struct SQLState: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The first two characters, the class: `23` is "integrity constraint violation".
    public var category: String { String(rawValue.prefix(2)) }

    public var description: String { rawValue }

    public static let featureNotSupported = SQLState(rawValue: "0A000")
    public static let readOnlyTransaction = SQLState(rawValue: "25006")
    public static let noActiveTransaction = SQLState(rawValue: "25P01")
    public static let failedTransaction = SQLState(rawValue: "25P02")
    public static let notNullViolation = SQLState(rawValue: "23502")
    public static let foreignKeyViolation = SQLState(rawValue: "23503")
    public static let uniqueViolation = SQLState(rawValue: "23505")
    public static let checkViolation = SQLState(rawValue: "23514")
    public static let exclusionViolation = SQLState(rawValue: "23P01")
    public static let serializationFailure = SQLState(rawValue: "40001")
    public static let deadlockDetected = SQLState(rawValue: "40P01")
    public static let insufficientPrivilege = SQLState(rawValue: "42501")
    public static let syntaxError = SQLState(rawValue: "42601")
    public static let undefinedTable = SQLState(rawValue: "42P01")
    public static let diskFull = SQLState(rawValue: "53100")
    public static let tooManyConnections = SQLState(rawValue: "53300")
    public static let lockNotAvailable = SQLState(rawValue: "55P03")
    public static let queryCanceled = SQLState(rawValue: "57014")
    public static let adminShutdown = SQLState(rawValue: "57P01")
    public static let crashShutdown = SQLState(rawValue: "57P02")
    public static let cannotConnectNow = SQLState(rawValue: "57P03")
    public static let raisedException = SQLState(rawValue: "P0001")

    /// The server, or the way to it, is not usable right now: another attempt later may work.
    var isUnavailable: Bool {
        switch category {
        case "08", "53": true
        default:
            self == .adminShutdown || self == .crashShutdown || self == .cannotConnectNow
                || self == .readOnlyTransaction
        }
    }

    /// After this code no connection to that server can be trusted: it stops, it has crashed, or
    /// it has become a standby.
    var condemnsServer: Bool {
        category == "08" || self == .adminShutdown || self == .crashShutdown
            || self == .cannotConnectNow || self == .readOnlyTransaction
    }

    /// The transaction met another one; running it again as a whole may work.
    var isConflict: Bool { self == .serializationFailure || self == .deadlockDetected }
}
