import Protobuf

/// Knows the server's types: from the server itself, or from files.
protocol SchemaSource: AnyObject {
    /// Full names, sorted.
    func services() async throws -> [String]

    /// A pool with the symbol and all that it refers to; nil when the source does not know it.
    /// Later pools hold what earlier ones held.
    func pool(containing symbol: String) async throws -> DescriptorPool?
}

extension SchemaSource {
    /// - Throws: `Failure` with names that look alike.
    func service(_ name: String) async throws -> (service: ServiceSchema, pool: DescriptorPool) {
        if let pool = try await pool(containing: name), let service = pool.service(name) {
            return (service, pool)
        }
        throw Failure(
            "there is no service \(name); "
                + Suggestion.text(name, of: try await services(), "services"))
    }

    /// - Parameter path: `service/method`, `/service/method` or `service.method`.
    func method(_ path: String) async throws -> (method: MethodSchema, pool: DescriptorPool) {
        let text = path.hasPrefix("/") ? path.dropFirst() : path[...]
        guard let split = text.lastIndex(of: "/") ?? text.lastIndex(of: ".") else {
            throw Failure.usage("\(path) is no method: expected SERVICE/METHOD")
        }
        let name = String(text[text.index(after: split)...])
        let (service, pool) = try await service(String(text[..<split]))
        guard let method = service.method(named: name) else {
            throw Failure(
                "\(service.fullName) has no method \(name); "
                    + Suggestion.text(name, of: service.methods.map(\.name), "methods"))
        }
        return (method, pool)
    }
}
