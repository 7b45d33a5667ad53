public import Protobuf

/// The typed details of `google.rpc.Status` (error_details.proto).
///
/// ```swift
/// throw RPCError(.notFound, "no such slot").with(GoogleRpc.ErrorInfo("SLOT_GONE", in: "school"))
/// …
/// catch let error as RPCError where error.errorInfo?.reason == "SLOT_GONE" { … }
/// ```
extension RPCError {
    /// The same error with one more detail; any message will do.
    public func with(_ detail: some Message) -> RPCError {
        var copy = self
        copy.details.append(Detail(packing: detail))
        return copy
    }

    /// The first detail of the type; nil when there is none, or what is there does not decode.
    public func detail<M: Message>(_ type: M.Type = M.self) -> M? {
        for detail in details where detail.typeName == M.schema.fullName {
            if let message = try? M(decoding: detail.value) { return message }
        }
        return nil
    }

    public var errorInfo: GoogleRpc.ErrorInfo? { detail() }
    public var badRequest: GoogleRpc.BadRequest? { detail() }
    public var preconditionFailure: GoogleRpc.PreconditionFailure? { detail() }
    public var quotaFailure: GoogleRpc.QuotaFailure? { detail() }
    public var resourceInfo: GoogleRpc.ResourceInfo? { detail() }
    public var requestInfo: GoogleRpc.RequestInfo? { detail() }
    public var debugInfo: GoogleRpc.DebugInfo? { detail() }
    public var help: GoogleRpc.Help? { detail() }
    public var localizedMessage: GoogleRpc.LocalizedMessage? { detail() }

    /// After which time trying again can help (RetryInfo).
    public var retryDelay: Duration? {
        guard let info: GoogleRpc.RetryInfo = detail(), let delay = info.retryDelay else {
            return nil
        }
        return Duration(delay)
    }
}

extension RPCError.Detail {
    /// A message as `google.protobuf.Any` carries it.
    public init(packing message: some Message) {
        let any = GoogleProtobuf.Any_(packing: message)
        self.init(typeURL: any.typeUrl, value: any.value)
    }

    /// What stands behind the last slash of the URL: `google.rpc.ErrorInfo`.
    public var typeName: Substring {
        typeURL.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    }
}

extension RPCError.Detail: CustomStringConvertible {
    /// The standard details as JSON, `google.rpc.RetryInfo {"retryDelay":"3s"}`; of others the
    /// type and the size.
    public var description: String {
        guard let json else { return "\(typeName) of \(value.count) bytes" }
        return "\(typeName) \(String(decoding: json, as: UTF8.self))"
    }

    /// A standard detail as ProtoJSON; nil for others, for long ones and for what does not decode.
    package var json: [UInt8]? {
        guard value.count <= Self.longestPrinted,
            let schema = Self.pool.message(String(typeName)),
            let message = try? DynamicMessage(decoding: value, schema: schema)
        else { return nil }
        return try? ProtoJSON.print(message, pool: Self.pool)
    }

    private static let longestPrinted = 4096
    private static let pool = DescriptorPool([GoogleRpc.errorDetailsFile])
}

extension GoogleRpc.ErrorInfo {
    /// - Parameters:
    ///   - reason: UPPER_SNAKE_CASE, unique within the domain.
    ///   - domain: who made the error, for example the service's DNS name.
    public init(_ reason: String, in domain: String, metadata: [String: String] = [:]) {
        self.init()
        self.reason = reason
        self.domain = domain
        self.metadata = metadata
    }
}

extension GoogleRpc.BadRequest {
    /// `BadRequest(["name": "is required"])`: the path of a field, and what is wrong with it.
    public init(_ violations: KeyValuePairs<String, String>) {
        self.init()
        for (field, why) in violations { add(field, why) }
    }

    public mutating func add(_ field: String, _ why: String) {
        var violation = FieldViolation()
        violation.field = field
        violation.description = why
        fieldViolations.append(violation)
    }
}

extension GoogleRpc.RetryInfo {
    public init(after delay: Duration) {
        self.init()
        retryDelay = GoogleProtobuf.Duration(delay)
    }
}

extension GoogleRpc.PreconditionFailure {
    public init(type: String, subject: String, _ description: String) {
        self.init()
        var violation = Violation()
        violation.type = type
        violation.subject = subject
        violation.description = description
        violations = [violation]
    }
}

extension GoogleRpc.QuotaFailure {
    public init(subject: String, _ description: String) {
        self.init()
        var violation = Violation()
        violation.subject = subject
        violation.description = description
        violations = [violation]
    }
}

extension GoogleRpc.ResourceInfo {
    public init(type: String, name: String, owner: String = "", _ description: String = "") {
        self.init()
        resourceType = type
        resourceName = name
        self.owner = owner
        self.description = description
    }
}
