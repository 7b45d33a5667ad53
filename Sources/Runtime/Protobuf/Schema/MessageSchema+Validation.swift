/// What protoc sees to and the descriptors of a stranger (reflection, descriptor sets) may break:
/// all that the codecs rely on.
extension MessageSchema {
    /// Of tables that keep a field's position in 16 bits.
    private static let maxFields = 65_000
    /// The wire format keeps 29 bits for it.
    private static let maxNumber: Int32 = 536_870_911

    /// For linked messages. Errors: `.schema`.
    func validate() throws(ProtobufError) {
        guard fields.count <= MessageSchema.maxFields else {
            throw unusable("has \(fields.count) fields")
        }
        var numbers: Set<Int32> = []
        for field in fields {
            guard field.number <= MessageSchema.maxNumber else {
                throw unusable("has a field of number \(field.number)")
            }
            guard numbers.insert(field.number).inserted else {
                throw unusable("has two fields of number \(field.number)")
            }
            guard field.oneof == nil || !field.isRepeated else {
                throw unusable("has a repeated field in a oneof")
            }
            guard field.kind != .group || field.messageType?.isMapEntry != true else {
                throw unusable("has a map that is a group")
            }
        }
        if isMapEntry { try validateEntry() }
        if let wellKnown, !wellKnown.fits(self) {
            throw unusable("is not declared as protobuf declares it")
        }
    }

    private func validateEntry() throws(ProtobufError) {
        let isPair =
            fields.map(\.number) == [1, 2]
            && fields.allSatisfy { !$0.isRepeated && $0.oneof == nil }
        guard isPair, fields[0].kind.isMapKey, fields[1].kind != .group else {
            throw unusable("is no entry of a map")
        }
    }

    private func unusable(_ why: String) -> ProtobufError {
        ProtobufError(.schema, "\(file.name): \(fullName) \(why)")
    }
}

extension FieldSchema.Kind {
    /// Integers, booleans and strings.
    fileprivate var isMapKey: Bool {
        switch self {
        case .double, .float, .bytes, .message, .group, .enumeration: false
        default: true
        }
    }
}
