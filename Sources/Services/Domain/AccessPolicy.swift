public import Protobuf
public import Schema

/// Who may call which RPC, read from the contracts (`janji.common.v1.access`, X-19).
public struct AccessPolicy: Sendable {
    private let access: [String: CommonV1.Access]

    /// The number of the option in `janji/common/v1/options.proto`.
    static let accessOption: Int32 = 50001

    public init(_ pool: DescriptorPool) {
        var access: [String: CommonV1.Access] = [:]
        for service in pool.services where service.fullName.hasPrefix("janji.") {
            for method in service.methods {
                let value = method.options.varint(extension: Self.accessOption) ?? 0
                access["/\(service.fullName)/\(method.name)"] = CommonV1.Access(
                    rawValue: Int32(truncatingIfNeeded: value))
            }
        }
        self.access = access
    }

    /// The rule for a method. Janji's own RPCs that say nothing are for services; what is not
    /// Janji's (health, reflection) is public, but for channelz, which shows who is connected.
    public func access(to path: String) -> CommonV1.Access {
        guard Self.governs(path) else { return .public }
        if path.hasPrefix(Self.channelz) { return .admin }
        let stated = access[path] ?? .unspecified
        return stated == .unspecified ? .service : stated
    }

    /// Whether the policy speaks about the method: it is one of Janji's own, or of channelz.
    static func governs(_ path: String) -> Bool {
        path.hasPrefix("/janji.") || path.hasPrefix(channelz)
    }

    private static let channelz = "/grpc.channelz."
}
