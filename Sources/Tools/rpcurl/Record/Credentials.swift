import RPC

/// Headers that let somebody in.
enum Credentials {
    static let placeholder = "***"

    private static let names: Set<String> = [
        "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token",
        "x-goog-iam-authorization-token", "x-amz-security-token",
    ]

    static func isSecret(_ name: String) -> Bool { names.contains(name) }

    static func hidden(in metadata: Metadata) -> Metadata {
        var result = Metadata()
        for field in metadata {
            switch field.value {
            case .text(let text):
                result.add(isSecret(field.name) ? placeholder : text, for: field.name)
            case .binary(let bytes): result.add(binary: bytes, for: field.name)
            }
        }
        return result
    }
}
