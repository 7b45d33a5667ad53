import RPC

/// A service config as calls ask it: by method, by service, by default.
final class MethodPolicies: Sendable {
    private let methods: [String: MethodConfig]
    private let services: [String: MethodConfig]
    private let fallback: MethodConfig?

    init(_ config: ServiceConfig) {
        var methods: [String: MethodConfig] = [:]
        var services: [String: MethodConfig] = [:]
        var fallback: MethodConfig?
        for config in config.methods {
            for name in config.names {
                switch (name.service, name.method) {
                case (let service?, let method?): methods["/\(service)/\(method)"] = config
                case (let service?, nil): services[service] = config
                case (nil, _): fallback = config
                }
            }
        }
        self.methods = methods
        self.services = services
        self.fallback = fallback
    }

    func config(of method: MethodDescriptor) -> MethodConfig? {
        methods[method.path] ?? services[method.service] ?? fallback
    }
}
