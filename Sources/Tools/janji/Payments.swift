import Booking
import Environment
import FakeProvider
import HTTPClient
import Lifecycle
import Loop

/// The payment providers that the environment names, or the pretended one.
struct Payments: Sendable {
    let providers: PaymentProviders
    let client: HTTPClient

    init(_ host: Host, fake: FakeProvider?) throws(ConfigurationError) {
        let client = HTTPClient(loop: host.loop)
        let pretended = fake.map { Self.pretended($0, client) } ?? []
        providers = PaymentProviders(
            try Self.configured(host.configuration, client) + pretended)
        self.client = client
    }

    static func isConfigured(_ configuration: Configuration) -> Bool {
        configuration.isSet(.midtransKey) || configuration.isSet(.xenditKey)
    }

    /// Where payment pages lead back to: with the pretended provider to our own port, when nothing
    /// else is said.
    static func site(
        _ configuration: Configuration, isPretended: Bool
    ) throws(ConfigurationError) -> String {
        if let site = configuration.text(.site), !site.isEmpty {
            return site.hasSuffix("/") ? String(site.dropLast()) : site
        }
        guard isPretended else { return "" }
        let scheme = configuration.isSet(.certificate) ? "https" : "http"
        return "\(scheme)://\(try configuration.required(.host)):\(try configuration.port(.port))"
    }

    private static func configured(
        _ configuration: Configuration, _ client: HTTPClient
    ) throws(ConfigurationError) -> [any PaymentProvider] {
        var providers: [any PaymentProvider] = []
        if let key = configuration.text(.midtransKey) {
            providers.append(
                Midtrans(
                    client: client, serverKey: key,
                    snapURL: try configuration.required(.midtransSnap),
                    coreURL: try configuration.required(.midtransCore)))
        }
        if let key = configuration.text(.xenditKey) {
            providers.append(
                Xendit(
                    client: client, secretKey: key,
                    callbackToken: try configuration.required(.xenditToken),
                    url: try configuration.required(.xenditURL)))
        }
        return providers
    }

    private static func pretended(
        _ fake: FakeProvider, _ client: HTTPClient
    ) -> [any PaymentProvider] {
        [
            Midtrans(
                client: client, serverKey: fake.keys.midtransServerKey, snapURL: fake.url,
                coreURL: fake.url),
            Xendit(
                client: client, secretKey: fake.keys.xenditSecretKey,
                callbackToken: fake.keys.xenditCallbackToken, url: fake.url),
        ]
    }

    /// The pretended provider of `up`; nil where a real one is configured, or by wish.
    static func fake(_ configuration: Configuration, _ loop: EventLoop) async throws
        -> FakeProvider?
    {
        guard !isConfigured(configuration), configuration.text(.fakePayments) != "off" else {
            return nil
        }
        let port = try configuration.number(.fakePayments, in: 0...65535)
        do {
            return try await FakeProvider.start(port: UInt16(port), on: loop)
        } catch {
            throw ConfigurationError(
                "the pretended payment provider cannot start on port \(port) "
                    + "(\(Setting.fakePayments.name)): \(error)")
        }
    }
}

/// Delivers the callbacks of the pretended provider to our own door.
struct FakeCallbacks: Service {
    let provider: FakeProvider
    /// `http://host:port/api/payments/callbacks`.
    let base: String

    func run() async throws {
        do {
            try await provider.run(callbacksTo: base)
        } catch {
            await provider.close()
            throw error
        }
    }
}
