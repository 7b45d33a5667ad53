/// A service and its methods.
public final class ServiceSchema: @unchecked Sendable {
    // @unchecked: the methods' types are written while linking only.
    public let name: String
    public let fullName: String
    public let methods: [MethodSchema]
    public let options: Options
    public let path: [Int32]
    public let file: FileSchema

    init(_ proto: ServiceProto, scope: String, path: [Int32], file: FileSchema) {
        let fullName = scope.isEmpty ? proto.name : "\(scope).\(proto.name)"
        name = proto.name
        self.fullName = fullName
        self.path = path
        self.file = file
        options = Options(proto.options)
        methods = proto.methods.enumerated().map { index, method in
            MethodSchema(method, service: fullName, path: path + [2, Int32(index)])
        }
    }

    public func method(named name: String) -> MethodSchema? {
        methods.first { $0.name == name }
    }
}

public final class MethodSchema: @unchecked Sendable {
    // @unchecked: `input` and `output` are written while linking only.

    /// `MethodOptions.IdempotencyLevel`.
    public enum Idempotency: Int32, Sendable {
        case unknown = 0
        case noSideEffects, idempotent
    }

    public let name: String
    /// `package.Service.Method`.
    public let fullName: String
    /// Full name of the service.
    public let service: String
    /// `/package.Service/Method`.
    public let routePath: String
    public let inputName: String
    public let outputName: String
    public let clientStreaming: Bool
    public let serverStreaming: Bool
    public let options: Options
    public let path: [Int32]
    var linkedInput: MessageSchema?
    var linkedOutput: MessageSchema?

    init(_ proto: MethodProto, service: String, path: [Int32]) {
        name = proto.name
        self.service = service
        fullName = "\(service).\(proto.name)"
        routePath = "/\(service)/\(proto.name)"
        inputName = proto.input
        outputName = proto.output
        clientStreaming = proto.clientStreaming
        serverStreaming = proto.serverStreaming
        options = Options(proto.options)
        self.path = path
    }

    public var input: MessageSchema { linked(linkedInput) }
    public var output: MessageSchema { linked(linkedOutput) }

    private func linked(_ type: MessageSchema?) -> MessageSchema {
        guard let type else { fatalError("\(fullName) is used before its file is linked") }
        return type
    }

    /// `idempotency_level`, field 34 of `MethodOptions`.
    public var idempotency: Idempotency {
        let raw = options.varint(extension: 34) ?? 0
        return Idempotency(rawValue: Int32(truncatingIfNeeded: raw)) ?? .unknown
    }
}
