import Protobuf

/// The captcha that the pages show. Its provider's script and frames are the only things that the
/// pages may take from elsewhere, and only when there is one.
public struct CaptchaWidget: Sendable, Hashable {
    public enum Provider: String, Sendable, Hashable, CaseIterable {
        case turnstile, hcaptcha, recaptcha
    }

    public let provider: Provider
    /// Public: the provider knows the site by it.
    public let siteKey: String

    public init(provider: Provider, siteKey: String) {
        self.provider = provider
        self.siteKey = siteKey
    }

    /// For a `Content-Security-Policy`, by the providers' own documents.
    var policy: String {
        let sources =
            switch provider {
            case .turnstile: "https://challenges.cloudflare.com"
            case .hcaptcha: "https://hcaptcha.com https://*.hcaptcha.com"
            case .recaptcha:
                "https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/"
            }
        return "; script-src 'self' \(sources); frame-src \(sources)"
            + "; style-src 'self' \(sources)"
    }

    /// Sources that the provider's script asks itself.
    var connections: String { provider == .hcaptcha ? " https://*.hcaptcha.com" : "" }

    /// `/assets/captcha.json`: what the page needs to draw it.
    static func json(_ widget: CaptchaWidget?) -> [UInt8] {
        guard let widget else { return (["provider": .string("none")] as JSONValue).encoded() }
        let (script, name) =
            switch widget.provider {
            case .turnstile:
                ("https://challenges.cloudflare.com/turnstile/v0/api.js", "turnstile")
            case .hcaptcha: ("https://js.hcaptcha.com/1/api.js", "hcaptcha")
            case .recaptcha: ("https://www.google.com/recaptcha/api.js", "grecaptcha")
            }
        let json: JSONValue = [
            "provider": .string(widget.provider.rawValue), "site_key": .string(widget.siteKey),
            "script": .string(script), "name": .string(name),
        ]
        return json.encoded()
    }
}
