import ConformanceSchema
import Protobuf

extension FuzzTarget {
    private static let pool = DescriptorPool(ConformanceFiles.all)
    private static let schemas = [
        ProtobufTestMessagesProto3.TestAllTypesProto3.schema, GoogleProtobuf.Value.schema,
        GoogleProtobuf.FileDescriptorProto.schema, GoogleProtobuf.Any_.schema,
    ]

    /// What was parsed can be printed in every style, and reads back as the same message.
    static let protoJSON = FuzzTarget("proto-json") { input in
        let choice = input.byte()
        let schema = schemas[Int(choice & 3)]
        let options = ProtoJSON.ParseOptions(
            ignoreUnknownFields: choice & 4 != 0, maxDepth: choice & 8 == 0 ? 64 : 3)
        guard
            let message = try? ProtoJSON.parse(
                input.rest, as: schema, pool: pool, options: options)
        else { return }
        let wire = message.encoded()
        let decoded = try must("its bytes") { try DynamicMessage(decoding: wire, schema: schema) }
        try require(decoded.encoded() == wire, "encoding is stable")
        let styles: [ProtoJSON.PrintOptions] = [
            .init(), .init(preserveProtoFieldNames: true, enumsAsNumbers: true, indent: 2),
        ]
        for style in styles {
            let text = try must("printing") {
                try ProtoJSON.print(message, pool: pool, options: style)
            }
            let again = try must("reading \(String(decoding: text, as: UTF8.self))") {
                try ProtoJSON.parse(text, as: schema, pool: pool)
            }
            try require(
                again.encoded() == wire,
                "not the same after \(String(decoding: text, as: UTF8.self))")
        }
        // Defaults are printed and read without harm.
        let full = try must("printing with defaults") {
            try ProtoJSON.print(message, pool: pool, options: .init(printDefaults: true))
        }
        _ = try must("reading with defaults") { try ProtoJSON.parse(full, as: schema, pool: pool) }
    }

    static let jsonValue = FuzzTarget("json-value") { input in
        guard let value = try? JSONValue.parse(input.rest) else { return }
        let text = value.encoded()
        let again = try must("reading \(String(decoding: text, as: UTF8.self))") {
            try JSONValue.parse(text)
        }
        try require(again == value, "not the same after \(String(decoding: text, as: UTF8.self))")
        try require(again.encoded() == text, "encoding is stable")
        _ = value.integer
        _ = value.double
    }
}
