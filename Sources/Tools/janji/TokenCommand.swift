import Domain
import Environment

/// `janji token`: lets a person with a terminal call RPCs as an admin.
struct TokenCommand {
    let configuration: Configuration
    let audience: String
    let admin: String

    func run() throws {
        let contexts = Role.allCases.flatMap(\.contexts) + ["channelz"]
        guard contexts.contains(audience) else {
            throw ConfigurationError(
                "`\(audience)` is not an audience; there are \(contexts.joined(separator: ", "))")
        }
        let tokens = ServiceTokens(issuer: "terminal", key: try Host.key(try secret()))
        Console.line(tokens.token(for: audience, as: .admin(id: admin)))
    }

    private func secret() throws -> String {
        if let secret = configuration.text(.jwtSecret) { return secret }
        let folder = try configuration.required(.data)
        guard let secret = DataFolder.read("\(folder)/service-secret") else {
            throw ConfigurationError(
                "\(Setting.jwtSecret.name) is not set and \(folder) holds no secret: "
                    + "run this where `janji up` runs, or set \(Setting.data.name)")
        }
        return secret
    }
}
