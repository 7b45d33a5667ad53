import Protobuf
import Testing

/// Descriptors that no protoc writes, as a server's reflection may send them.
@Suite struct HostileSchemaTests {
    typealias File = GoogleProtobuf.FileDescriptorProto
    typealias Descriptor = GoogleProtobuf.DescriptorProto
    typealias Field = GoogleProtobuf.FieldDescriptorProto

    private func link(_ files: [File]) -> ProtobufError? {
        failure { () throws(ProtobufError) in
            _ = try DescriptorPool(files: files.map { $0.encoded() })
        }
    }

    private func file(_ package: String, _ message: Descriptor) -> File {
        File.with {
            $0.name = "a.proto"
            $0.package = package
            $0.syntax = "proto3"
            $0.messageType = [message]
        }
    }

    private static func field(
        _ number: Int32, _ type: Field.Type_, repeated: Bool = false, of name: String? = nil,
        oneof: Int32? = nil
    ) -> Field {
        Field.with {
            $0.name = "f\(number)"
            $0.number = number
            $0.type = type
            $0.label = repeated ? .repeated : .optional
            $0.typeName = name
            $0.oneofIndex = oneof
        }
    }

    private static func entry(_ fields: [Field]) -> Descriptor {
        Descriptor.with {
            $0.name = "M"
            $0.field = fields
            $0.options = .with { $0.mapEntry = true }
        }
    }

    static let unusable: [(String, Descriptor)] = [
        ("two fields of a number", .with { $0.field = [field(1, .bool), field(1, .bool)] }),
        ("a number of 30 bits", .with { $0.field = [field(1 << 29, .bool)] }),
        ("an entry of one field", entry([field(1, .bool)])),
        ("an entry of three", entry([field(1, .bool), field(2, .bool), field(3, .bool)])),
        ("an entry in another order", entry([field(2, .bool), field(1, .bool)])),
        ("floating keys", entry([field(1, .double), field(2, .bool)])),
        ("keys that are messages", entry([field(1, .message, of: ".p.M"), field(2, .bool)])),
        ("repeated values", entry([field(1, .bool), field(2, .bool, repeated: true)])),
        (
            "a repeated member of a oneof",
            .with {
                $0.oneofDecl = [.with { $0.name = "o" }]
                $0.field = [field(1, .bool, repeated: true, oneof: 0)]
            }
        ),
    ]

    @Test(arguments: unusable)
    func whatCodecsCannotTakeIsRefused(_ name: String, _ message: Descriptor) {
        var message = message
        message.name = "M"
        #expect(link([file("p", message)])?.code == .schema, "\(name)")
    }

    @Test func tooManyFieldsAreRefused() {
        let fields = (1...65_001).map { HostileSchemaTests.field($0, .bool) }
        let message = Descriptor.with {
            $0.name = "M"
            $0.field = fields
        }
        #expect(link([file("p", message)])?.code == .schema)
    }

    @Test(arguments: ["Timestamp", "Duration", "Any", "Value", "Struct", "FieldMask", "BoolValue"])
    func aWellKnownTypeIsWhatItsNameSays(_ name: String) {
        // Each field of its own type: a Value in a Value would be read for ever.
        let message = Descriptor.with {
            $0.name = name
            $0.field = (1...6).map {
                HostileSchemaTests.field($0, .message, of: ".google.protobuf.\(name)")
            }
        }
        #expect(link([file("google.protobuf", message)])?.code == .schema)
    }

    @Test func importsNestNotForEver() {
        let files = (0..<100_000).map { number in
            File.with {
                $0.name = "\(number)"
                $0.dependency = ["\(number + 1)"]
            }
        }
        #expect(link(files)?.code == .tooDeep)
    }
}
