export declare const START_VARIABLE: string
