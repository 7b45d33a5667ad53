/// A statement with its values. Interpolation binds: the value never becomes part of the text.
///
/// ```swift
/// let sql: SQL = "select name from room where id = \(id)"
/// let more: SQL = "\(sql) and starts_at >= \(instant)"     // fragments compose
/// let list: SQL = "select count(*) from \(unescaped: tableName)"   // trusted text only
/// ```
/// Text and integers take the type that the statement gives them (`\(n)::int` where it gives none,
/// as in `jsonb_build_object`); other values announce their own.
public struct SQL: Sendable, ExpressibleByStringInterpolation, CustomStringConvertible {
    /// The text around the values: one piece more than there are values.
    private var pieces: [String]
    public private(set) var parameters: PostgresParameters

    public init(stringLiteral text: String) {
        pieces = [text]
        parameters = PostgresParameters()
    }

    /// A statement from trusted text, without values.
    public init(unescaped text: String) {
        self.init(stringLiteral: text)
    }

    public init(stringInterpolation: StringInterpolation) {
        self = stringInterpolation.sql
    }

    /// The statement as the server sees it, with `$1`, `$2`, … for the values.
    public var text: String {
        guard pieces.count > 1 else { return pieces[0] }
        var text = pieces[0]
        text.reserveCapacity(pieces.reduce(0) { $0 + $1.utf8.count + 4 })
        for index in 1..<pieces.count {
            text.append("$")
            text.append(String(index))
            text.append(pieces[index])
        }
        return text
    }

    /// The text without the values.
    public var description: String { text }

    public static func + (left: SQL, right: SQL) -> SQL {
        var sum = left
        sum.append(right)
        return sum
    }

    public static func += (left: inout SQL, right: SQL) {
        left.append(right)
    }

    private mutating func append(_ other: SQL) {
        append(text: other.pieces[0])
        pieces.append(contentsOf: other.pieces.dropFirst())
        parameters.append(contentsOf: other.parameters)
    }

    private mutating func append(text: String) {
        pieces[pieces.count - 1].append(text)
    }

    private mutating func bind(_ encode: (inout PostgresParameters) -> Void) {
        encode(&parameters)
        pieces.append("")
    }

    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var sql = SQL(stringLiteral: "")

        public init(literalCapacity: Int, interpolationCount: Int) {
            sql.pieces.reserveCapacity(interpolationCount + 1)
        }

        public mutating func appendLiteral(_ literal: String) {
            sql.append(text: literal)
        }

        /// Binds a value.
        public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value) {
            sql.bind { value.encode(to: &$0) }
        }

        /// Binds a value that may be absent: NULL then. The label keeps the compiler from taking
        /// the optional for a mistake.
        public mutating func appendInterpolation<Value: PostgresEncodable>(nullable value: Value?) {
            sql.bind { value.encode(to: &$0) }
        }

        /// Inserts another statement or part of one, with its values.
        public mutating func appendInterpolation(_ fragment: SQL) {
            sql.append(fragment)
        }

        /// Inserts trusted text: an identifier or keyword of ours, never input.
        public mutating func appendInterpolation(unescaped text: String) {
            sql.append(text: text)
        }
    }
}

extension Sequence<SQL> {
    /// The fragments one after the other, with trusted text between them.
    public func joined(separator: SQL = ", ") -> SQL {
        var result: SQL = ""
        var isFirst = true
        for fragment in self {
            if !isFirst { result += separator }
            result += fragment
            isFirst = false
        }
        return result
    }
}
