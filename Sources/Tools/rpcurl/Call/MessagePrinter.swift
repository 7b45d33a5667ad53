import Protobuf

/// Messages as JSON, or in protobuf's text format.
struct MessagePrinter {
    private let source: (any SchemaSource)?
    private(set) var pool: DescriptorPool
    private let options: ProtoJSON.PrintOptions
    private let format: Settings.Format

    init(_ source: (any SchemaSource)?, _ pool: DescriptorPool, _ settings: Settings) {
        self.source = source
        self.pool = pool
        format = settings.format
        options = ProtoJSON.PrintOptions(
            preserveProtoFieldNames: settings.originalNames, printDefaults: settings.emitDefaults,
            indent: settings.compact || settings.json ? 0 : 2)
    }

    /// As the flags want it.
    /// - Throws: `Failure` when the bytes do not fit the type.
    mutating func output(_ bytes: [UInt8], as schema: MessageSchema) async throws -> [UInt8] {
        if format == .json { return try await json(bytes, as: schema) }
        let message = try MessagePrinter.decode(bytes, schema)
        return Array(TextFormat(pool).lines(message).joined(separator: "\n").utf8)
    }

    /// - Throws: `Failure` when the bytes do not fit the type.
    static func decode(
        _ bytes: [UInt8], _ schema: MessageSchema
    ) throws(Failure) -> DynamicMessage {
        do {
            return try DynamicMessage(decoding: bytes, schema: schema)
        } catch {
            throw Failure(
                "the server's message does not fit \(schema.fullName): \(error); is the schema "
                    + "the server's?")
        }
    }

    /// Types inside `Any` are fetched when they are unknown; those that nobody tells are shown
    /// with their bytes as `@value`.
    /// - Throws: `Failure` when the bytes do not fit the type.
    mutating func json(_ bytes: [UInt8], as schema: MessageSchema) async throws -> [UInt8] {
        let message = try MessagePrinter.decode(bytes, schema)
        do throws(ProtobufError) {
            return try ProtoJSON.print(message, pool: pool, options: options)
        } catch  where error.code == .unrepresentable {
            return try await printLenient(message)
        } catch {
            throw Failure("\(schema.fullName) cannot be printed: \(error)")
        }
    }

    private mutating func printLenient(_ message: DynamicMessage) async throws(Failure) -> [UInt8] {
        var types = AnyTypes(pool)
        var printable = types.replacingUnknown(in: message)
        var tried: Set<String> = []
        while let name = types.unknown.subtracting(tried).sorted().first {
            tried.insert(name)
            guard let found = try? await source?.pool(containing: name) else { continue }
            pool = found
            types = AnyTypes(found)
            printable = types.replacingUnknown(in: message)
        }
        do {
            return try ProtoJSON.print(
                printable, pool: try types.poolWithStandIns(), options: options)
        } catch {
            throw Failure("\(message.schema.fullName) cannot be printed: \(error)")
        }
    }
}
