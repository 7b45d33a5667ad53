import Protobuf

/// ProtoJSON as this API speaks it: original names, explicit nulls and defaults, enum words.
struct MessagePrinter: Sendable {
    let pool: DescriptorPool
    let spelling: EnumSpelling
    let printing: ProtoJSON.PrintOptions
    let parsing: ProtoJSON.ParseOptions

    init(_ pool: DescriptorPool) {
        self.pool = pool
        let spelling = EnumSpelling(pool)
        self.spelling = spelling
        printing = ProtoJSON.PrintOptions(
            preserveProtoFieldNames: true, explicitNulls: true, printDefaults: true,
            enumAlias: { spelling.word($0, $1) })
        parsing = ProtoJSON.ParseOptions(enumNumber: { spelling.number($0, $1) })
    }

    func print(_ message: DynamicMessage) throws(ProtobufError) -> [UInt8] {
        try ProtoJSON.print(message, pool: pool, options: printing)
    }

    func parse(_ json: [UInt8], as schema: MessageSchema) throws(ProtobufError) -> DynamicMessage {
        try ProtoJSON.parse(json, as: schema, pool: pool, options: parsing)
    }
}
