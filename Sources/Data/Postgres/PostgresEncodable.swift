public import Environment

/// A value that can be bound to a statement.
public protocol PostgresEncodable: Sendable {
    /// The type that the value announces, also when it is NULL.
    static var postgresType: PostgresType { get }

    /// Appends exactly one value.
    func encode(to parameters: inout PostgresParameters)
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    public static var postgresType: PostgresType { Wrapped.postgresType }

    public func encode(to parameters: inout PostgresParameters) {
        switch self {
        case .some(let value): value.encode(to: &parameters)
        case .none: parameters.appendNull(Wrapped.postgresType)
        }
    }
}

extension String: PostgresEncodable {
    public static var postgresType: PostgresType { .unspecified }

    public func encode(to parameters: inout PostgresParameters) {
        parameters.append(text: self, .unspecified)
    }
}

extension PostgresEncodable where Self: FixedWidthInteger {
    public static var postgresType: PostgresType { .unspecified }

    public func encode(to parameters: inout PostgresParameters) {
        parameters.append(text: String(self), .unspecified)
    }
}

extension Int: PostgresEncodable {}
extension Int32: PostgresEncodable {}
extension Int64: PostgresEncodable {}

extension Bool: PostgresEncodable {
    public static var postgresType: PostgresType { .bool }

    public func encode(to parameters: inout PostgresParameters) {
        parameters.append(text: self ? "t" : "f", .bool)
    }
}

extension Double: PostgresEncodable {
    public static var postgresType: PostgresType { .float8 }

    public func encode(to parameters: inout PostgresParameters) {
        // Swift writes "inf"/"nan", PostgreSQL reads both.
        parameters.append(text: description, .float8)
    }
}

extension Environment.UUID: PostgresEncodable {
    public static var postgresType: PostgresType { .uuid }

    public func encode(to parameters: inout PostgresParameters) {
        parameters.append(text: description, .uuid)
    }
}

extension Instant: PostgresEncodable {
    public static var postgresType: PostgresType { .timestamptz }

    public func encode(to parameters: inout PostgresParameters) {
        parameters.append(text: TimestampText.write(self), .timestamptz)
    }
}

extension LocalDate: PostgresEncodable {
    public static var postgresType: PostgresType { .date }

    public func encode(to parameters: inout PostgresParameters) {
        parameters.append(text: description, .date)
    }
}

extension JSONText: PostgresEncodable {
    public static var postgresType: PostgresType { .unspecified }

    public func encode(to parameters: inout PostgresParameters) {
        parameters.append(text: text, .unspecified)
    }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    public static var postgresType: PostgresType { Element.postgresArrayType }

    public func encode(to parameters: inout PostgresParameters) {
        Element.encode(self, to: &parameters)
    }
}
