import HTTP1
import Protobuf
import RPC
import Schema

/// One binding of one RPC to a method and a path.
final class Route: Sendable {
    enum Body: Sendable {
        case none
        /// `body: "*"`: the whole request, and no query.
        case whole
        /// `body: "field"`.
        case field(FieldSchema)
    }

    struct Variable: Sendable {
        let path: [FieldSchema]
        let start: Int
        let end: Int
        /// Several segments: `%2F` stays encoded, since "/" separates them.
        let isMulti: Bool
    }

    let httpMethod: HTTPMethod
    let template: PathTemplate
    /// What metrics and the access log call it: `GET /v1/things/{name}`.
    let label: String
    let method: MethodSchema
    let descriptor: MethodDescriptor
    let access: CommonV1.Access
    let cookie: CommonV1.SessionCookie
    let successStatus: HTTPStatus
    let body: Body
    /// Largest request body, bytes, when it is not the edge's own limit.
    let bodyLimit: Int?
    let responseBody: String?
    let variables: [Variable]
    /// The request's `idempotency_key`, when it has one.
    let idempotencyKey: FieldSchema?
    /// The request's `session_id`, when it has one.
    let sessionField: FieldSchema?
    /// Fields that HTTP headers fill (`janji.common.v1.http_header`).
    let headerFields: [(field: FieldSchema, header: String)]

    /// Errors: `.schema` when the rule does not fit the method's messages.
    init(
        _ method: MethodSchema, service: String, _ httpMethod: HTTPMethod, _ path: String,
        rule: GoogleApi.HttpRule
    ) throws(ProtobufError) {
        self.method = method
        self.httpMethod = httpMethod
        template = try PathTemplate(path)
        label = "\(httpMethod.rawValue) \(path)"
        descriptor = MethodDescriptor(
            service: service, name: method.name, kind: Self.kind(method),
            idempotency: method.idempotency == .noSideEffects
                ? .noSideEffects : method.idempotency == .idempotent ? .idempotent : .unknown)
        access = CommonV1.Access(
            rawValue: Self.option(method, ContractOptions.access) ?? 0)
        cookie = CommonV1.SessionCookie(
            rawValue: Self.option(method, ContractOptions.sessionCookie) ?? 0)
        let status = Int(Self.option(method, ContractOptions.httpSuccess) ?? 200)
        guard (200...299).contains(status) else {
            throw ProtobufError(.schema, "\(method.fullName): http_success is no success status")
        }
        successStatus = HTTPStatus(rawValue: status)
        bodyLimit = Self.option(method, ContractOptions.bodyLimit).map { Int($0) }
        switch rule.body {
        case "": body = .none
        case "*": body = .whole
        case let name:
            guard let field = method.input.field(named: name), !field.isMap else {
                throw ProtobufError(.schema, "\(method.fullName): body names no field: \(name)")
            }
            body = .field(field)
        }
        responseBody = rule.responseBody.isEmpty ? nil : rule.responseBody
        var variables: [Variable] = []
        for variable in template.variables {
            let path = try FieldPath.resolve(variable.fieldPath, in: method.input)
            guard let last = path.last, !last.isRepeated, !last.isMessage else {
                throw ProtobufError(
                    .schema, "\(method.fullName): a path variable must be one scalar field")
            }
            let parts = template.segments[variable.start..<variable.end]
            variables.append(
                Variable(
                    path: path, start: variable.start, end: variable.end,
                    isMulti: parts.count > 1 || parts.first == .rest))
        }
        self.variables = variables
        idempotencyKey = Self.text(method.input, "idempotency_key")
        sessionField = Self.text(method.input, "session_id")
        headerFields = method.input.fields.compactMap { field in
            guard field.kind == .string, !field.isRepeated else { return nil }
            return field.options.string(extension: ContractOptions.httpHeader).map {
                (field, $0)
            }
        }
    }

    private static func option(_ method: MethodSchema, _ number: Int32) -> Int32? {
        method.options.varint(extension: number).map { Int32(truncatingIfNeeded: $0) }
    }

    private static func text(_ schema: MessageSchema, _ name: String) -> FieldSchema? {
        schema.field(named: name).flatMap { $0.kind == .string && !$0.isRepeated ? $0 : nil }
    }

    private static func kind(_ method: MethodSchema) -> CallKind {
        switch (method.clientStreaming, method.serverStreaming) {
        case (false, false): .unary
        case (false, true): .serverStreaming
        case (true, false): .clientStreaming
        case (true, true): .bidirectional
        }
    }

    /// The body passes as it is, whatever its type.
    var takesRawBody: Bool {
        guard case .field(let field) = body else { return false }
        return RawBody.isRaw(field.messageType)
    }

    /// The answer passes as it is, without an envelope.
    var givesRawBody: Bool { RawBody.isRaw(method.output) }

    /// Changes something, so browsers need a trusted origin (CSRF) and rates are stricter.
    var changesState: Bool { httpMethod != .get && httpMethod != .head }
}
