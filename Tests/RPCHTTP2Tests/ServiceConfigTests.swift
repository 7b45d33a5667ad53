import RPC
import RPCHTTP2
import Testing

@Suite("Service config: the JSON form, strictly")
struct ServiceConfigTests {
    @Test("everything that is known is read")
    func whole() throws {
        let config = try ServiceConfig(
            json: """
                {"methodConfig": [
                  {"name": [{"service": "a.B", "method": "C"}, {"service": "a.D"}],
                   "timeout": "1.5s", "waitForReady": true,
                   "maxRequestMessageBytes": "1024", "maxResponseMessageBytes": 2048,
                   "retryPolicy": {"maxAttempts": 9, "initialBackoff": "0.1s",
                     "maxBackoff": "10s", "backoffMultiplier": 1.5,
                     "retryableStatusCodes": ["UNAVAILABLE", 10]}},
                  {"name": [{}],
                   "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.000000001s",
                     "nonFatalStatusCodes": ["INTERNAL"]}}],
                 "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
                 "loadBalancingConfig": [{"xds": {}}, {"outlier_detection_experimental": {
                   "interval": "5s", "maxEjectionPercent": 50,
                   "failurePercentageEjection": {"threshold": 30, "requestVolume": 4},
                   "childPolicy": [{"least_request_experimental": {"choiceCount": 3}}]}}]}
                """)
        var first = MethodConfig(names: [.init(service: "a.B", method: "C"), .init(service: "a.D")])
        first.timeout = .milliseconds(1500)
        first.waitForReady = true
        first.maxRequestBytes = 1024
        first.maxResponseBytes = 2048
        first.repetition = .retry(
            RetryPolicy(
                maxAttempts: 9, initialBackoff: .milliseconds(100), maxBackoff: .seconds(10),
                backoffMultiplier: 1.5, retryableCodes: [.unavailable, .aborted]))
        var second = MethodConfig()
        second.repetition = .hedging(
            HedgingPolicy(maxAttempts: 3, delay: .nanoseconds(1), nonFatalCodes: [.internalError]))
        #expect(config.methods == [first, second])
        #expect(config.retryThrottling == RetryThrottling(maxTokens: 10, tokenRatio: 0.1))
        var outliers = OutlierDetection()
        outliers.interval = .seconds(5)
        outliers.maxEjectionPercent = 50
        outliers.failureShare = .init()
        outliers.failureShare?.threshold = 30
        outliers.failureShare?.requestVolume = 4
        #expect(config.loadBalancing == .leastRequest(choices: 3, outliers: outliers))
    }

    private static let retry =
        #""maxAttempts":2,"initialBackoff":"1s","maxBackoff":"1s","backoffMultiplier":2,"#
        + #""retryableStatusCodes":["ABORTED"]"#

    @Test(
        "a refusal names the field",
        arguments: [
            ("", "service config:"), ("[]", "an object is expected"), ("{}x", "service config:"),
            (#"{"methodconfig":[]}"#, "methodconfig: there is no such field"),
            (#"{"methodConfig":{}}"#, "methodConfig: a list"),
            (#"{"methodConfig":[{"name":[{"method":"M"}]}]}"#, "methodConfig[0].name[0]: a method"),
            (
                #"{"methodConfig":[{"name":[{}]},{"name":[{}]}]}"#,
                "methodConfig[1].name: / is named"
            ),
            (#"{"methodConfig":[{"timeout":"1"}]}"#, "methodConfig[0].timeout: a duration"),
            (#"{"methodConfig":[{"timeout":"-1s"}]}"#, "methodConfig[0].timeout: a duration"),
            (#"{"methodConfig":[{"timeout":"1.s"}]}"#, "methodConfig[0].timeout: a duration"),
            (#"{"methodConfig":[{"timeout":"1.0000000001s"}]}"#, ".timeout: a duration"),
            (#"{"methodConfig":[{"timeout":1}]}"#, "methodConfig[0].timeout: a string"),
            (#"{"methodConfig":[{"waitForReady":"yes"}]}"#, ".waitForReady: true or false"),
            (#"{"methodConfig":[{"maxRequestMessageBytes":-1}]}"#, ".maxRequestMessageBytes: at"),
            (#"{"methodConfig":[{"maxRequestMessageBytes":1.5}]}"#, "MessageBytes: an integer"),
            (#"{"methodConfig":[{"retryPolicy":{}}]}"#, "[0].retryPolicy: backoffMultiplier is"),
            (
                #"{"methodConfig":[{"retryPolicy":{\#(retry),"hedgingDelay":"1s"}}]}"#,
                "retryPolicy.hedgingDelay: there is no such field"
            ),
            (
                #"{"methodConfig":[{"retryPolicy":{\#(retry)},"hedgingPolicy":{}}]}"#,
                "methodConfig[0].hedgingPolicy: a method has"
            ),
            (#"{"methodConfig":[{"hedgingPolicy":{"maxAttempts":1}}]}"#, "maxAttempts: at least 2"),
            (
                #"{"methodConfig":[{"hedgingPolicy":{"maxAttempts":2,"nonFatalStatusCodes":["OK"]}}]}"#,
                "nonFatalStatusCodes[0]: a status code"
            ),
            (
                #"{"methodConfig":[{"hedgingPolicy":{"maxAttempts":2,"nonFatalStatusCodes":[17]}}]}"#,
                "nonFatalStatusCodes[0]: a status code"
            ),
            (#"{"retryThrottling":{"maxTokens":1001,"tokenRatio":1}}"#, "maxTokens: 1 to 1000"),
            (#"{"retryThrottling":{"maxTokens":1,"tokenRatio":0}}"#, "tokenRatio: at least 0.001"),
            (#"{"retryThrottling":{"maxTokens":1}}"#, "retryThrottling: tokenRatio is missing"),
            (#"{"loadBalancingConfig":[{"xds":{}}]}"#, "loadBalancingConfig: none of these"),
            (#"{"loadBalancingConfig":[{"a":{},"b":{}}]}"#, "loadBalancingConfig[0]: an object"),
            (
                #"{"loadBalancingConfig":[{"round_robin":{"x":1}}]}"#,
                "loadBalancingConfig[0].round_robin.x: there is no such field"
            ),
            (
                #"{"loadBalancingConfig":[{"outlier_detection":{"maxEjectionPercent":101}}]}"#,
                "maxEjectionPercent: 0 to 100"
            ),
        ])
    func refused(json: String, why: String) {
        do {
            _ = try ServiceConfig(json: json)
            Issue.record("accepted")
        } catch {
            let error = error as? RPCError
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains(why) == true, "\(error?.message ?? "")")
        }
    }

    @Test(
        "retry fields out of range",
        arguments: [
            (#""maxAttempts":2"#, #""maxAttempts":1"#, "maxAttempts: at least 2"),
            (#""initialBackoff":"1s""#, #""initialBackoff":"0s""#, "initialBackoff: more than 0s"),
            (#""maxBackoff":"1s""#, #""maxBackoff":"0.0s""#, "maxBackoff: more than 0s"),
            (
                #""backoffMultiplier":2"#, #""backoffMultiplier":0"#,
                "backoffMultiplier: more than 0"
            ),
            (#"["ABORTED"]"#, "[]", "retryPolicy: retryableStatusCodes must name"),
            (#"["ABORTED"]"#, #"["aborted"]"#, "retryableStatusCodes[0]: a status code"),
        ])
    func retryFields(good: String, bad: String, why: String) throws {
        let json = #"{"methodConfig":[{"retryPolicy":{\#(ServiceConfigTests.retry)}}]}"#
        _ = try ServiceConfig(json: json)
        let parts = json.split(separator: good, omittingEmptySubsequences: false)
        #expect(parts.count == 2)
        do {
            _ = try ServiceConfig(json: parts.joined(separator: bad))
            Issue.record("accepted")
        } catch {
            #expect((error as? RPCError)?.message.contains(why) == true, "\(error)")
        }
    }
}
