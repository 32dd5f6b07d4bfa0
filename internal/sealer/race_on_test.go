//go:build race

package sealer

// raceDetector: everything takes many times as long.
const raceDetector = true
