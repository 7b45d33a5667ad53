import ConformanceSchema
import Protobuf

extension FuzzTarget {
    /// Generated types, with the guard and without; the dynamic message agrees with them.
    static let protobufMessage = FuzzTarget("protobuf-message") { input in
        let choice = input.byte()
        let limits = DecodingLimits(
            depth: choice & 0x80 == 0 ? 100 : 3, occurrences: choice & 0x40 == 0 ? 1 << 20 : 20,
            memory: choice & 0x20 == 0 ? 64 << 20 : 4 << 10)
        switch choice & 3 {
        case 0: try check(ProtobufTestMessagesProto3.TestAllTypesProto3.self, input.rest, limits)
        case 1: try check(GoogleProtobuf.FileDescriptorProto.self, input.rest, limits)
        case 2: try check(GoogleProtobuf.Struct.self, input.rest, limits)
        default: try check(GoogleProtobuf.Any_.self, input.rest, limits)
        }
    }

    private static func check<M: Message>(
        _ type: M.Type, _ bytes: UnsafeRawBufferPointer, _ limits: DecodingLimits
    ) throws {
        let typed = outcome { () throws(ProtobufError) in try M(decoding: bytes, limits: limits) }
        let dynamic = outcome { () throws(ProtobufError) in
            try DynamicMessage(decoding: Array(bytes), schema: M.schema, limits: limits)
        }
        switch (typed, dynamic) {
        case (.success(let typed), .success(let dynamic)):
            let wire = try canonical(typed)
            let again = try must("what was encoded is decoded") { try M(decoding: wire) }
            let againWire = try canonical(again)
            try require(againWire == wire, "encoding is stable")
            let other = try must("the dynamic message's bytes") {
                try M(decoding: dynamic.encoded())
            }
            let otherWire = try canonical(other)
            try require(
                otherWire == wire,
                "the generated and the dynamic message differ: \(wire) \(otherWire)")
        case (.failure(let error), .success):
            // Only generated types have a budget of memory, and required fields.
            try require(
                error.code == .tooLarge || error.message.hasSuffix("is required and absent"),
                "only the generated type refuses: \(error)")
        case (.success, .failure(let error)):
            throw FuzzFinding(description: "only the dynamic message refuses: \(error)")
        case (.failure(let first), .failure(let second)):
            let isMemory = first.code == .tooLarge
            try require(
                isMemory || first == second || first.message.hasSuffix("is required and absent"),
                "different reasons: \(first); \(second)")
        }
    }

    /// Generated types write the entries of a map in any order.
    private static func canonical<M: Message>(_ message: M) throws -> [UInt8] {
        let wire = message.encoded()
        return try must("its bytes") {
            try DynamicMessage(decoding: wire, schema: M.schema).encoded()
        }
    }

    /// Descriptors of a peer (reflection, descriptor sets), and messages read by them.
    static let descriptorPool = FuzzTarget("descriptor-pool") { input in
        let descriptors = Array(input.take(input.word()))
        guard let pool = try? DescriptorPool(descriptorSet: descriptors) else { return }
        let bytes = Array(input.rest)
        for message in pool.files.flatMap(\.allMessages).prefix(4) {
            guard let read = try? DynamicMessage(decoding: bytes, schema: message) else { continue }
            let wire = read.encoded()
            let again = try must("what was encoded is decoded") {
                try DynamicMessage(decoding: wire, schema: message)
            }
            try require(again.encoded() == wire, "encoding is stable")
            guard let json = try? ProtoJSON.print(read, pool: pool) else { continue }
            _ = try? ProtoJSON.parse(json, as: message, pool: pool)
        }
    }
}
