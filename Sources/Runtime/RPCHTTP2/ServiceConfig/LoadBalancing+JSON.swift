import Protobuf
import RPC

extension LoadBalancing {
    /// The first policy of the list that is known here (service_config.md).
    static func choose(_ node: ConfigNode) throws -> LoadBalancing {
        for element in try node.elements() {
            guard case .object(let members) = element.value, members.count == 1,
                let member = members.first
            else { throw element.refuse("an object with one policy is expected") }
            let policy = ConfigNode(value: member.value, path: "\(element.path).\(member.key)")
            if let known = try LoadBalancing(member.key, policy) { return known }
        }
        throw node.refuse("none of these policies is known")
    }

    /// The deprecated `loadBalancingPolicy`.
    init(named node: ConfigNode) throws {
        switch try node.string() {
        case "pick_first", "PICK_FIRST": self = .pickFirst()
        case "round_robin", "ROUND_ROBIN": self = .roundRobin()
        case let name: throw node.refuse("there is no policy \(name)")
        }
    }

    /// Nil: not a policy of ours.
    private init?(_ name: String, _ node: ConfigNode) throws {
        switch name {
        case "pick_first":
            let fields = try node.members(["shuffleAddressList"])
            self = .pickFirst(shuffle: try fields["shuffleAddressList"]?.bool() ?? false)
        case "round_robin":
            _ = try node.members([])
            self = .roundRobin()
        case "least_request", "least_request_experimental":
            let fields = try node.members(["choiceCount"])
            self = .leastRequest(
                choices: min(try fields["choiceCount"]?.integer(2...Int.max) ?? 2, 10))
        case "outlier_detection", "outlier_detection_experimental":
            self = try LoadBalancing.outlierDetection(node)
        default: return nil
        }
    }

    private static func outlierDetection(_ node: ConfigNode) throws -> LoadBalancing {
        let fields = try node.members([
            "interval", "baseEjectionTime", "maxEjectionTime", "maxEjectionPercent",
            "successRateEjection", "failurePercentageEjection", "childPolicy",
        ])
        var rules = OutlierDetection()
        if let node = fields["interval"] { rules.interval = try node.duration(positive: true) }
        if let node = fields["baseEjectionTime"] {
            rules.baseEjectionTime = try node.duration(positive: true)
        }
        if let node = fields["maxEjectionTime"] {
            rules.maxEjectionTime = try node.duration(positive: true)
        }
        if let node = fields["maxEjectionPercent"] {
            rules.maxEjectionPercent = try node.integer(0...100)
        }
        rules.successRate = try fields["successRateEjection"].map {
            try OutlierDetection.SuccessRate($0)
        }
        rules.failureShare = try fields["failurePercentageEjection"].map {
            try OutlierDetection.FailureShare($0)
        }
        switch try choose(node.required("childPolicy", fields)) {
        case .pickFirst(let shuffle): return .pickFirst(shuffle: shuffle)
        case .roundRobin: return .roundRobin(outliers: rules)
        case .leastRequest(let choices, _):
            return .leastRequest(choices: choices, outliers: rules)
        }
    }
}

extension OutlierDetection.SuccessRate {
    init(_ node: ConfigNode) throws {
        let fields = try node.members([
            "stdevFactor", "enforcementPercentage", "minimumHosts", "requestVolume",
        ])
        self.init()
        if let node = fields["stdevFactor"] {
            deviationFactor = try node.integer(0...Int(UInt32.max))
        }
        if let node = fields["enforcementPercentage"] { enforcement = try node.integer(0...100) }
        if let node = fields["minimumHosts"] {
            minimumHosts = try node.integer(0...Int(UInt32.max))
        }
        if let node = fields["requestVolume"] {
            requestVolume = try node.integer(0...Int(UInt32.max))
        }
    }
}

extension OutlierDetection.FailureShare {
    init(_ node: ConfigNode) throws {
        let fields = try node.members([
            "threshold", "enforcementPercentage", "minimumHosts", "requestVolume",
        ])
        self.init()
        if let node = fields["threshold"] { threshold = try node.integer(0...100) }
        if let node = fields["enforcementPercentage"] { enforcement = try node.integer(0...100) }
        if let node = fields["minimumHosts"] {
            minimumHosts = try node.integer(0...Int(UInt32.max))
        }
        if let node = fields["requestVolume"] {
            requestVolume = try node.integer(0...Int(UInt32.max))
        }
    }
}
