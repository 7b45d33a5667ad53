import Compression
import Environment
import Loop
import RPC

/// Calls by the rules of a service config.
extension ChannelCore {
    func beginByPolicy(_ call: ClientCall, _ metadata: Metadata, _ options: CallOptions) {
        guard undecided == nil else { return beginUndecided(call, metadata, options) }
        let config = policies?.config(of: call.method)
        if let config, config.repetition != nil {
            let attempts = CallAttempts(
                call, metadata: metadata, options: options, channel: self)
            if let timeout = config.timeout { call.tighten(to: .after(timeout)) }
            if begin(call, attempts) { attempts.start(config) }
            return
        }
        var options = options
        if let config { options.apply(config) }
        let stream = ClientStream(call, metadata: metadata, options: options, channel: self)
        if let limit = config?.maxRequestBytes { stream.maxRequestBytes = limit }
        if let timeout = config?.timeout { call.tighten(to: .after(timeout)) }
        if begin(call, stream) { open(stream) }
    }

    /// The resolver has not told the service config yet.
    private func beginUndecided(
        _ call: ClientCall, _ metadata: Metadata, _ options: CallOptions
    ) {
        let attempts = CallAttempts(call, metadata: metadata, options: options, channel: self)
        guard begin(call, attempts) else { return }
        guard undecided?.count ?? 0 < configuration.maxPendingCalls else {
            return attempts.finish(tooManyWait)
        }
        undecided?.append(attempts)
        if isClosed {
            decide()
        } else {
            wakeUp()
        }
    }

    /// Calls that came before their policy go on.
    func decide() {
        guard var waiting = undecided else { return }
        undecided = nil
        hasPolicies = policies != nil
        while let attempts = waiting.popFirst() {
            attempts.start(policies?.config(of: attempts.call.method))
        }
    }

    /// The call ended before its policy was known.
    func forget(_ attempts: CallAttempts) {
        undecided?.remove(attempts)
    }

    /// The service config that holds from now on.
    func adopt(_ config: ServiceConfig?) {
        guard config != serviceConfig else { return }
        if config?.retryThrottling != serviceConfig?.retryThrottling {
            throttle = config?.retryThrottling.map { RetryThrottle($0) }
        }
        serviceConfig = config
        policies = config.map { MethodPolicies($0) }
        hasPolicies = policies != nil || undecided != nil
    }

    var isThrottled: Bool { throttle?.isClosed ?? false }

    /// The message as it leaves.
    func wire(
        _ message: [UInt8], _ algorithm: CompressionAlgorithm?, _ wish: Bool?, _ call: ClientCall
    ) -> WireMessage {
        let policy = configuration.compression
        let algorithm = algorithm ?? policy.algorithm
        if algorithm == .identity { return WireMessage(message) }
        let wire = WireMessage(message, algorithm, policy, wish)
        if wire.isCompressed { call.didCompress(saving: message.count - wire.bytes.count) }
        return wire
    }
}
