import Environment
import Protobuf
import RPC

/// The place of a channel or subchannel in a registry, with what happened to it. Loop only.
final class ChannelzNode {
    let id: Int64
    let registry: ChannelzRegistry
    private(set) var trace: ChannelzTrace

    init(_ registry: ChannelzRegistry) {
        self.registry = registry
        id = registry.nextID()
        trace = ChannelzTrace(at: registry.clock.now())
        log("created")
    }

    func log(
        _ text: String, _ severity: ChannelzTrace.Event.Severity = .ctInfo,
        child: ChannelzTrace.Event.OneOfChildRef? = nil
    ) {
        trace.add(text, at: registry.clock.now(), severity, child: child)
    }

    /// A state that was reached, and why.
    func log(_ state: ConnectivityState, _ error: RPCError?) {
        let name = ChannelzV1.ChannelConnectivityState.name(of: state)
        log(
            error.map { "\(name): \($0.cause ?? $0.message)" } ?? name,
            state == .transientFailure ? .ctWarning : .ctInfo)
    }

    func data(
        _ state: ConnectivityState, target: String, _ calls: CallCounts, _ time: ChannelzTime
    ) -> ChannelzV1.ChannelData {
        var data = ChannelzV1.ChannelData()
        data.state = ChannelzV1.ChannelConnectivityState(state)
        data.target = target
        data.trace = trace.message
        data.callsStarted = Int64(calls.started)
        data.callsSucceeded = Int64(calls.succeeded)
        data.callsFailed = Int64(calls.failed)
        data.lastCallStartedTimestamp = time.timestamp(calls.lastStarted)
        return data
    }
}

extension ChannelzV1.ChannelConnectivityState {
    init(_ state: ConnectivityState) {
        self.init()
        self.state =
            switch state {
            case .idle: .idle
            case .connecting: .connecting
            case .ready: .ready
            case .transientFailure: .transientFailure
            case .shutdown: .shutdown
            }
    }

    static func name(of state: ConnectivityState) -> String {
        State.schema.value(number: Self(state).state.rawValue)?.name ?? "\(state)"
    }
}
