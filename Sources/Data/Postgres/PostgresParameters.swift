/// The values bound to one statement: one buffer for all of them, so that a statement costs two
/// allocations and not one for each value.
public struct PostgresParameters: Sendable {
    struct Slot: Sendable {
        var type: UInt32
        /// Where the value starts; negative for NULL.
        var offset: Int
        var length: Int32
        var isBinary: Bool
    }

    private(set) var slots: [Slot] = []
    private(set) var buffer: [UInt8] = []
    /// Set when a value cannot be sent; the statement is refused before it reaches the server.
    private(set) var problem: String?

    public init() {}

    public var count: Int { slots.count }

    public mutating func appendNull(_ type: PostgresType) {
        slots.append(Slot(type: type.rawValue, offset: -1, length: 0, isBinary: false))
    }

    /// Binds a value in PostgreSQL's text form.
    public mutating func append(text: String, _ type: PostgresType) {
        var text = text
        text.withUTF8 { append(text: UnsafeRawBufferPointer($0), type) }
    }

    /// Binds a value in PostgreSQL's text form, given as UTF-8.
    public mutating func append(text: UnsafeRawBufferPointer, _ type: PostgresType) {
        // libpq ends text at the first NUL, and PostgreSQL cannot store it: cutting the value
        // silently would be worse than refusing it.
        if text.contains(0) { problem = "text parameter \(slots.count + 1) has a NUL character" }
        slots.append(
            Slot(
                type: type.rawValue, offset: buffer.count, length: Int32(clamping: text.count),
                isBinary: false))
        buffer.append(contentsOf: text)
        buffer.append(0)
    }

    /// Binds a value in PostgreSQL's binary form.
    public mutating func append(binary bytes: [UInt8], _ type: PostgresType) {
        if bytes.count > 1 << 29 { problem = "parameter \(slots.count + 1) is above 512 MiB" }
        slots.append(
            Slot(
                type: type.rawValue, offset: buffer.count, length: Int32(clamping: bytes.count),
                isBinary: true))
        buffer.append(contentsOf: bytes)
        // An empty value needs an address too: libpq reads a null pointer as NULL.
        buffer.append(0)
    }

    mutating func append(contentsOf other: PostgresParameters) {
        let base = buffer.count
        for slot in other.slots {
            var moved = slot
            if moved.offset >= 0 { moved.offset += base }
            slots.append(moved)
        }
        buffer.append(contentsOf: other.buffer)
        problem = problem ?? other.problem
    }
}

/// The type that a bound value announces; `unspecified` leaves it to the statement around it.
public struct PostgresType: RawRepresentable, Sendable, Hashable {
    /// The object id in `pg_type`.
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public static let unspecified = PostgresType(rawValue: 0)
    public static let bool = PostgresType(rawValue: 16)
    public static let bytea = PostgresType(rawValue: 17)
    public static let float8 = PostgresType(rawValue: 701)
    public static let date = PostgresType(rawValue: 1082)
    public static let timestamptz = PostgresType(rawValue: 1184)
    public static let uuid = PostgresType(rawValue: 2950)
    public static let textArray = PostgresType(rawValue: 1009)
    public static let int8Array = PostgresType(rawValue: 1016)
    public static let timestamptzArray = PostgresType(rawValue: 1185)
    public static let uuidArray = PostgresType(rawValue: 2951)
}
