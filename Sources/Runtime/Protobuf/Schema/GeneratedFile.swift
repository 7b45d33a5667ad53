/// The descriptor embedded in generated code; a global constant, so it is decoded at first use.
public final class GeneratedFile: Sendable {
    public let file: FileSchema
    public let dependencies: [GeneratedFile]

    /// - Parameter base64: the serialized `FileDescriptorProto`; white space is ignored.
    ///
    /// Traps when the descriptor is damaged: that is a defect of the generator, not of input.
    public init(name: String, base64: StaticString, dependencies: [GeneratedFile] = []) {
        self.dependencies = dependencies
        do throws(ProtobufError) {
            let proto = try FileProto(EmbeddedBase64.decode(base64))
            var found: [FileSchema] = []
            for import_ in proto.dependencies {
                guard let file = dependencies.first(where: { $0.file.name == import_ })?.file else {
                    throw ProtobufError(.schema, "the generated file lacks its import \(import_)")
                }
                found.append(file)
            }
            file = try FileSchema(proto, dependencies: found)
        } catch {
            fatalError("the embedded descriptor of \(name) is unusable: \(error)")
        }
    }

    public var name: String { file.name }

    /// A message of this file; traps when there is none, since only generated code asks.
    public func message(_ fullName: String) -> MessageSchema {
        guard case .message(let message) = file.symbol(fullName) else {
            fatalError("\(name) declares no message \(fullName)")
        }
        return message
    }

    public func enumeration(_ fullName: String) -> EnumSchema {
        guard case .enumeration(let item) = file.symbol(fullName) else {
            fatalError("\(name) declares no enum \(fullName)")
        }
        return item
    }

    public func service(_ fullName: String) -> ServiceSchema {
        guard case .service(let service) = file.symbol(fullName) else {
            fatalError("\(name) declares no service \(fullName)")
        }
        return service
    }

    /// This file and everything it imports.
    public var pool: DescriptorPool { DescriptorPool(linked: [file]) }
}
