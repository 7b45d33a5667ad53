import Protobuf
import RPC

extension ServiceConfig {
    /// Parses the JSON form (service_config.md) strictly.
    /// - Throws: `RPCError` INVALID_ARGUMENT that names the field, for example
    ///   `methodConfig[0].retryPolicy.maxAttempts`; an unknown field is refused too.
    public init(json: String) throws {
        let root: JSONValue
        do {
            root = try JSONValue.parse(Array(json.utf8))
        } catch {
            throw RPCError(
                .invalidArgument, "service config: \(error.message)", blame: .caller,
                cause: "\(error)")
        }
        self.init()
        let fields = try ConfigNode(value: root, path: "").members([
            "methodConfig", "retryThrottling", "loadBalancingConfig", "loadBalancingPolicy",
            "healthCheckConfig",
        ])
        methods = try fields["methodConfig"]?.elements().map { try MethodConfig($0) } ?? []
        try checkNames(fields["methodConfig"])
        retryThrottling = try fields["retryThrottling"].map { try RetryThrottling($0) }
        if let node = fields["loadBalancingConfig"] {
            loadBalancing = try LoadBalancing.choose(node)
        } else if let node = fields["loadBalancingPolicy"] {
            loadBalancing = try LoadBalancing(named: node)
        }
    }

    private func checkNames(_ node: ConfigNode?) throws {
        var seen: Set<MethodConfig.Name> = []
        for (index, method) in methods.enumerated() {
            for name in method.names where !seen.insert(name).inserted {
                let text = "\(name.service ?? "")/\(name.method ?? "")"
                throw ConfigNode(value: .null, path: "methodConfig[\(index)].name").refuse(
                    "\(text) is named twice")
            }
        }
    }
}

extension MethodConfig {
    init(_ node: ConfigNode) throws {
        let fields = try node.members([
            "name", "timeout", "waitForReady", "maxRequestMessageBytes",
            "maxResponseMessageBytes", "retryPolicy", "hedgingPolicy",
        ])
        self.init(names: try fields["name"]?.elements().map { try Name($0) } ?? [])
        timeout = try fields["timeout"]?.duration(positive: false)
        waitForReady = try fields["waitForReady"]?.bool()
        maxRequestBytes = try fields["maxRequestMessageBytes"]?.integer(0...Int.max)
        maxResponseBytes = try fields["maxResponseMessageBytes"]?.integer(0...Int.max)
        if let retry = fields["retryPolicy"] {
            if let hedging = fields["hedgingPolicy"] {
                throw hedging.refuse("a method has a retryPolicy or a hedgingPolicy, not both")
            }
            repetition = .retry(try RetryPolicy(retry))
        } else if let hedging = fields["hedgingPolicy"] {
            repetition = .hedging(try HedgingPolicy(hedging))
        }
    }
}

extension MethodConfig.Name {
    init(_ node: ConfigNode) throws {
        let fields = try node.members(["service", "method"])
        let service = try fields["service"]?.string() ?? ""
        let method = try fields["method"]?.string() ?? ""
        if service.isEmpty, !method.isEmpty {
            throw node.refuse("a method needs its service")
        }
        self.init(
            service: service.isEmpty ? nil : service, method: method.isEmpty ? nil : method)
    }
}

extension RetryPolicy {
    init(_ node: ConfigNode) throws {
        let fields = try node.members([
            "maxAttempts", "initialBackoff", "maxBackoff", "backoffMultiplier",
            "retryableStatusCodes",
        ])
        let multiplier = try node.required("backoffMultiplier", fields)
        self.init(
            maxAttempts: try node.required("maxAttempts", fields).integer(2...Int.max),
            initialBackoff: try node.required("initialBackoff", fields).duration(positive: true),
            maxBackoff: try node.required("maxBackoff", fields).duration(positive: true),
            backoffMultiplier: try multiplier.number(),
            retryableCodes: Set(
                try node.required("retryableStatusCodes", fields).elements().map {
                    try $0.statusCode()
                }))
        if backoffMultiplier <= 0 { throw multiplier.refuse("more than 0 is expected") }
        if retryableCodes.isEmpty {
            throw node.refuse("retryableStatusCodes must name at least one code")
        }
    }
}

extension HedgingPolicy {
    init(_ node: ConfigNode) throws {
        let fields = try node.members(["maxAttempts", "hedgingDelay", "nonFatalStatusCodes"])
        self.init(
            maxAttempts: try node.required("maxAttempts", fields).integer(2...Int.max),
            delay: try fields["hedgingDelay"]?.duration(positive: false) ?? .zero,
            nonFatalCodes: Set(
                try fields["nonFatalStatusCodes"]?.elements().map { try $0.statusCode() } ?? []))
    }
}

extension RetryThrottling {
    init(_ node: ConfigNode) throws {
        let fields = try node.members(["maxTokens", "tokenRatio"])
        let ratio = try node.required("tokenRatio", fields)
        self.init(
            maxTokens: try node.required("maxTokens", fields).integer(1...1000),
            tokenRatio: try ratio.number())
        if tokenRatio < 0.001 { throw ratio.refuse("at least 0.001 is expected") }
    }
}

extension ConfigNode {
    func required(_ name: String, _ fields: [String: ConfigNode]) throws -> ConfigNode {
        guard let node = fields[name] else { throw refuse("\(name) is missing") }
        return node
    }
}
