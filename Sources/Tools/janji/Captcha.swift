import Booking
import Edge
import HTTPClient
import Loop

/// The captcha that the environment names: how answers are checked, and what the pages show.
struct Captcha: Sendable {
    private let configuration: Configuration
    private let provider: CaptchaWidget.Provider?

    init(_ configuration: Configuration) throws(ConfigurationError) {
        self.configuration = configuration
        let name = try configuration.required(.captcha)
        guard name != "none" else {
            provider = nil
            return
        }
        guard let known = CaptchaWidget.Provider(rawValue: name) else {
            let names = ["none"] + CaptchaWidget.Provider.allCases.map(\.rawValue)
            throw ConfigurationError(
                "\(Setting.captcha.name) is “\(name)”, none of \(names.joined(separator: ", "))")
        }
        provider = known
    }

    /// Of the booking role.
    func verifier(on loop: EventLoop) throws(ConfigurationError) -> any CaptchaVerifier {
        guard let provider else { return NoCaptcha() }
        let known =
            switch provider {
            case .turnstile: "https://challenges.cloudflare.com/turnstile/v0/siteverify"
            case .hcaptcha: "https://api.hcaptcha.com/siteverify"
            case .recaptcha: "https://www.google.com/recaptcha/api/siteverify"
            }
        return SiteVerifyCaptcha(
            client: HTTPClient(loop: loop), url: configuration.text(.captchaURL) ?? known,
            secret: try configuration.required(.captchaSecret))
    }

    /// Of the gateway.
    func widget() throws(ConfigurationError) -> CaptchaWidget? {
        guard let provider else { return nil }
        return CaptchaWidget(
            provider: provider, siteKey: try configuration.required(.captchaSiteKey))
    }
}
